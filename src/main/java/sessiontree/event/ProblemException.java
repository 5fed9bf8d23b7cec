package sessiontree.event;

/**
 * Thrown for a {@link Problem} with a client's message or request. It is a result, not a failure of
 * the server, so it has no stack trace.
 */
public final class ProblemException extends Exception {
  private static final long serialVersionUID = 1;

  private final Problem problem;
  private final String pointer;
  private String factName;
  private long fact;

  /**
   * @param pointer a JSON pointer (RFC 6901) to what is wrong in the message, or null
   * @param detail a sentence for people that says which rule was broken, and by what
   */
  public ProblemException(Problem problem, String pointer, String detail) {
    super(detail, null, false, false);
    this.problem = problem;
    this.pointer = pointer;
  }

  public ProblemException(Problem problem, String detail) {
    this(problem, null, detail);
  }

  /** Adds a number that a program can act on, such as the expected message number. */
  public ProblemException with(String name, long value) {
    factName = name;
    fact = value;
    return this;
  }

  /** Returns the name of the added number, or null. */
  public String factName() {
    return factName;
  }

  public long fact() {
    return fact;
  }

  public Problem problem() {
    return problem;
  }

  /** Returns the JSON pointer; null if the problem is not in one place of a message. */
  public String pointer() {
    return pointer;
  }

  public String detail() {
    return getMessage();
  }
}
