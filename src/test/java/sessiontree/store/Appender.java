package sessiontree.store;

import sessiontree.event.Batch;
import sessiontree.store.SessionStore.StoredSession;

/** Appends to a session as somebody who knows its sequence. */
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

  public void append(Batch batch, String writer, long number, Append.Answer answer) {
    session.append(
        new Append(sequence, batch, batch != null && sequence == 0, writer, number, answer));
    if (batch != null) {
      sequence++;
    }
  }

  /** Appends as somebody who is mistaken about the sequence. */
  public Answered appendExpecting(long expected, Batch batch) {
    Answered answered = new Answered();
    session.append(new Append(expected, batch, false, null, 0, answered));
    return answered;
  }
}
