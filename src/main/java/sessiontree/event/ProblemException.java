package sessiontree.event;

/**
 * A {@link Problem} with what a client did, or asked for. It is a result, not a failure of the
 * server, so it has no stack trace.
 */
public final class ProblemException extends Exception {
  private static final long serialVersionUID = 1;

  private final Problem problem;
  private final String pointer;
  private String factName;
  private long fact;

  /**
   * @param pointer what is wrong, as a JSON pointer (RFC 6901) into the message, or null
   * @param detail a sentence for people; it says which rule was broken and by what
   */
  public ProblemException(Problem problem, String pointer, String detail) {
    super(detail, null, false, false);
    this.problem = problem;
    this.pointer = pointer;
  }

  public ProblemException(Problem problem, String detail) {
    this(problem, null, detail);
  }

  /** Adds a number that a program can act on, such as the one that was expected. */
  public ProblemException with(String name, long value) {
    factName = name;
    fact = value;
    return this;
  }

  /** The name of the number added, or null. */
  public String factName() {
    return factName;
  }

  public long fact() {
    return fact;
  }

  public Problem problem() {
    return problem;
  }

  /** Null where the problem is not in one place of a message. */
  public String pointer() {
    return pointer;
  }

  public String detail() {
    return getMessage();
  }
}
