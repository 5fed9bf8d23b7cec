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

  public Answered append(Batch batch) {
    return append(batch, null, 0);
  }

  public Answered append(Batch batch, String writer, long number) {
    Answered answered = new Answered();
    append(batch, writer, number, answered);
    return answered;
  }

  public void append(Batch batch, String writer, long number, Append.Callback answer) {
    session.append(
        batch == null
            ? Append.nothing(sequence, answer)
            : Append.entries(sequence, batch, sequence == 0, writer, number, answer));
    if (batch != null) {
      sequence++;
    }
  }

  public Answered delete() {
    Answered answered = new Answered();
    session.append(Append.deletion(sequence++, answered));
    return answered;
  }

  /** Ends the session on its client's behalf. */
  public Answered abandon() throws IOException {
    Answered answered = new Answered();
    session.append(Append.abandonment(sequence++, session.latest(), answered));
    return answered;
  }

  /** Appends as a sender that is mistaken about the sequence. */
  public Answered appendExpecting(long expected, Batch batch) {
    Answered answered = new Answered(session::resume); // the sender goes on with what is stored
    session.append(
        batch == null
            ? Append.nothing(expected, answered)
            : Append.entries(expected, batch, false, null, 0, answered));
    return answered;
  }
}
