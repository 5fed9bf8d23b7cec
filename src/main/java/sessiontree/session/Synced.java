package sessiontree.session;

/** A callback for what is stored of a session. */
public interface Synced {
  /**
   * Called like a {@link Reply}.
   *
   * @param messages the number of the writer's last message; 0 if there is none
   */
  void synced(long entries, long messages);
}
