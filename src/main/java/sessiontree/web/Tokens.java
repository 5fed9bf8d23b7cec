package sessiontree.web;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.server.Request;
import sessiontree.event.Problem;
import sessiontree.event.ProblemException;

/**
 * The tokens of the server, each with its {@link Role}, and where a request may carry one (RFC
 * 6750). A request is allowed when any token that it carries allows it. Immutable.
 */
final class Tokens {
  private static final String BEARER = "bearer ";
  static final String ACCESS_TOKEN = "access_token";

  private final Map<Role, List<byte[]>> digests;
  private final Jwts jwts;

  /** For each role its tokens; none if everybody has the role, unless JWTs are taken. */
  Tokens(List<String> read, List<String> write, List<String> admin, Jwts jwts) {
    this.jwts = jwts;
    this.digests =
        Map.of(Role.READ, digests(read), Role.WRITE, digests(write), Role.ADMIN, digests(admin));
  }

  /** Whether the server has a token at all. */
  boolean areSet() {
    return jwts.areTaken() || digests.values().stream().anyMatch(some -> !some.isEmpty());
  }

  /** Refuses a request without a token that allows what the request asks for. */
  void check(Request request) throws ProblemException {
    String path = request.getHttpURI().getPath();
    Role needed = Role.neededFor(request.getMethod(), path);
    if (needed == null || isForEverybody(needed)) {
      return;
    }
    boolean known = false;
    boolean expired = false;
    for (String token : sent(request)) {
      byte[] digest = digest(token);
      boolean admin = isOneOf(digest, Role.ADMIN);
      if (admin || isOneOf(digest, needed)) {
        return;
      }
      known |= isOneOf(digest, Role.READ) || isOneOf(digest, Role.WRITE);
      Jwts.Grant grant = jwts.verify(token);
      if (grant != null && grant.allows(needed, Route.idOf(path))) {
        return;
      }
      expired |= grant != null && grant.expired();
      known |= grant != null && !grant.expired();
    }
    String detail = "this needs the " + needed.shown() + " token";
    if (jwts.areTaken() && needed != Role.ADMIN) {
      detail += ", or a JWT of that scope and for that session";
    } else if (digests.get(needed).isEmpty()) {
      detail += ", and the server has none";
    }
    detail += expired ? "; the JWT that was sent has expired" : "";
    throw known
        ? new ProblemException(Problem.FORBIDDEN, detail + "; the token that was sent is another")
        : new ProblemException(Problem.UNAUTHORIZED, detail + ", as a bearer or access_token");
  }

  /** Nobody deletes without an admin token, once the server has tokens. */
  private boolean isForEverybody(Role role) {
    return role == Role.ADMIN ? !areSet() : digests.get(role).isEmpty() && !jwts.areTaken();
  }

  private boolean isOneOf(byte[] digest, Role role) {
    boolean found = false;
    for (byte[] each : digests.get(role)) {
      found |= MessageDigest.isEqual(digest, each);
    }
    return found;
  }

  /**
   * Every token that the request carries: as a bearer, beside whatever another scheme's credentials
   * are for, as a subprotocol, and in the query.
   */
  private static List<String> sent(Request request) {
    List<String> tokens = new ArrayList<>();
    for (String credentials : request.getHeaders().getValuesList(HttpHeader.AUTHORIZATION)) {
      if (credentials.regionMatches(true, 0, BEARER, 0, BEARER.length())) {
        tokens.add(credentials.substring(BEARER.length()).strip());
      }
    }
    tokens.addAll(Subprotocols.tokens(request.getHeaders()));
    tokens.addAll(Request.extractQueryParameters(request).getValuesOrEmpty(ACCESS_TOKEN));
    return tokens;
  }

  private static List<byte[]> digests(List<String> tokens) {
    return tokens.stream().map(Tokens::digest).toList();
  }

  /** Digests of any two tokens take the same time to compare. */
  private static byte[] digest(String token) {
    try {
      return MessageDigest.getInstance("SHA-256").digest(token.getBytes(StandardCharsets.UTF_8));
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every Java has SHA-256", e);
    }
  }
}
