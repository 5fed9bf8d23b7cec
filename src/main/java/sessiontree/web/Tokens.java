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
 * Checks the tokens of requests (RFC 6750). Each token of the server has a {@link Role}. A request
 * is allowed if any token that it carries allows it. Immutable.
 */
final class Tokens {
  private static final String BEARER = "bearer ";
  static final String ACCESS_TOKEN = "access_token";

  private final Map<Role, List<byte[]>> digests;
  private final Jwts jwts;

  /** Takes the tokens of each role; {@link #isForEverybody} says who has a role without tokens. */
  Tokens(List<String> read, List<String> write, List<String> admin, Jwts jwts) {
    this.jwts = jwts;
    this.digests =
        Map.of(Role.READ, digests(read), Role.WRITE, digests(write), Role.ADMIN, digests(admin));
  }

  /** Returns whether the server has any token, or accepts JWTs. */
  boolean areRequired() {
    return jwts.hasKeys() || digests.values().stream().anyMatch(some -> !some.isEmpty());
  }

  /** Refuses a request that needs a role that none of its tokens gives. */
  void check(Request request) throws ProblemException {
    Role needed = Role.neededFor(request);
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
      if (grant != null && grant.allows(needed, Route.idOf(request))) {
        return;
      }
      expired |= grant != null && grant.expired();
      known |= grant != null && !grant.expired();
    }
    String detail = "this needs the " + needed.shown() + " token";
    if (jwts.hasKeys() && needed != Role.ADMIN) {
      detail += ", or a JWT with that scope for that session";
    } else if (digests.get(needed).isEmpty()) {
      detail += ", and the server has none";
    }
    detail += expired ? "; the JWT that was sent has expired" : "";
    throw known
        ? new ProblemException(
            Problem.FORBIDDEN, detail + "; the token that was sent does not allow it")
        : new ProblemException(Problem.UNAUTHORIZED, detail + ", as a bearer or access_token");
  }

  /** Returns whether a role needs no token. Once there is any, only admin tokens delete. */
  private boolean isForEverybody(Role role) {
    return role == Role.ADMIN ? !areRequired() : digests.get(role).isEmpty() && !jwts.hasKeys();
  }

  private boolean isOneOf(byte[] digest, Role role) {
    boolean found = false;
    for (byte[] each : digests.get(role)) {
      found |= MessageDigest.isEqual(digest, each);
    }
    return found;
  }

  /**
   * Returns every token that the request carries: as bearer credentials, which may accompany those
   * of another scheme, as a subprotocol, and in the query.
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

  /** Returns a token's digest. Any two digests take the same time to compare. */
  private static byte[] digest(String token) {
    return sha256(token.getBytes(StandardCharsets.UTF_8));
  }

  static byte[] sha256(byte[] bytes) {
    try {
      return MessageDigest.getInstance("SHA-256").digest(bytes);
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every Java has SHA-256", e);
    }
  }
}
