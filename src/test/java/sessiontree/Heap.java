package sessiontree;

/** The heap of this process. */
public final class Heap {
  private Heap() {}

  /** Collects garbage, and returns the number of bytes in use. */
  public static long usedBytes() {
    System.gc();
    return Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory();
  }
}
