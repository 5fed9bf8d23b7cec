package sessiontree.event;

import java.util.Locale;

/**
 * The problems that a client's message or request can have. The code is stable, for programs to
 * branch on; the title is for people. The web package defines in one place how each is reported
 * over HTTP.
 */
public enum Problem {
  INVALID_SESSION_ID("The session id is not valid"),
  INVALID_JSON("The message is not JSON"),
  INVALID_MESSAGE("The message is not an array of entries"),
  INVALID_ENTRY("An entry is not valid"),
  SESSION_NOT_STARTED("The session has no SESSION_START"),
  SESSION_ALREADY_STARTED("The session has another SESSION_START"),
  SESSION_ID_MISMATCH("The entry names another session"),
  ENTRY_AFTER_END("An entry follows SESSION_END"),
  TOO_MANY_WRITERS("The session has too many writers"),
  INVALID_PARAMETER("A parameter is not valid"),
  UPGRADE_REQUIRED("This is a WebSocket endpoint"),
  SESSION_NOT_FOUND("There is no such session"),
  SESSION_IN_PROGRESS("The session has not ended"),
  SESSION_COMPLETE("The session has ended"),
  SESSION_DELETED("The session was deleted"),
  MESSAGE_TOO_BIG("The message is too big"),
  UNSUPPORTED_ENCODING("The body's encoding is not supported"),
  REQUEST_TIMEOUT("The request did not come in time"),
  MESSAGE_OUT_OF_ORDER("A message number was skipped"),
  PRECONDITION_FAILED("The precondition does not hold"),
  UNAUTHORIZED("A token is needed"),
  FORBIDDEN("The token does not allow this"),
  ORIGIN_NOT_ALLOWED("The origin is not allowed"),
  HOST_NOT_ALLOWED("The host is not allowed"),
  STORAGE_UNAVAILABLE("The storage takes nothing at the moment"),
  TOO_MANY_CONNECTIONS("There are too many connections"),
  TOO_MANY_SESSIONS("There are too many open sessions"),
  NOT_FOUND("There is nothing here"),
  METHOD_NOT_ALLOWED("The method is not allowed here");

  private final String code = name().toLowerCase(Locale.ROOT);
  private final String title;

  Problem(String title) {
    this.title = title;
  }

  /** Returns the stable code, such as {@code invalid_entry}. */
  public String code() {
    return code;
  }

  /** Returns a few words, the same for every occurrence (RFC 9457, "title"). */
  public String title() {
    return title;
  }
}
