package sessiontree.store;

import java.io.IOException;
import sessiontree.event.Batch;
import sessiontree.store.SessionStore.StoredSession;

/** A sender that appends to a session and knows its sequence. */
public final class Appender {
  private final StoredSession session;
  private long sequence;

  public Appender(StoredSession session) {
    this.session = session;
    this.sequence = session.state().sequence();
  }

  public StoredSession session() {
    return session;
  }

  public RecordedResult append(Batch batch) {
    return append(batch, null, 0);
  }

  public RecordedResult append(Batch batch, String writer, long number) {
    RecordedResult result = new RecordedResult();
    append(batch, writer, number, result);
    return result;
  }

  public void append(Batch batch, String writer, long number, Append.Callback result) {
    session.append(
        batch == null
            ? Append.nothing(sequence, result)
            : Append.entries(sequence, batch, sequence == 0, writer, number, result));
    if (batch != null) {
      sequence++;
    }
  }

  public RecordedResult delete() {
    RecordedResult result = new RecordedResult();
    session.append(Append.deletion(sequence++, result));
    return result;
  }

  /** Ends the session on its client's behalf. */
  public RecordedResult abandon() throws IOException {
    RecordedResult result = new RecordedResult();
    session.append(Append.abandonment(sequence++, session.latest(), result));
    return result;
  }

  /** Appends as a sender that is mistaken about the sequence. */
  public RecordedResult appendExpecting(long expected, Batch batch) {
    RecordedResult result =
        new RecordedResult(session::resume); // the sender goes on with what is stored
    session.append(
        batch == null
            ? Append.nothing(expected, result)
            : Append.entries(expected, batch, false, null, 0, result));
    return result;
  }
}
