package sessiontree;

/** The heap of this process. */
public final class Heap {
  private Heap() {}

  /** Bytes that are in use when all garbage is collected. */
  public static long usedBytes() {
    System.gc();
    return Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory();
  }
}
