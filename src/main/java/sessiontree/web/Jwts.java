package sessiontree.web;

import com.auth0.jwt.JWT;
import com.auth0.jwt.JWTVerifier;
import com.auth0.jwt.algorithms.Algorithm;
import com.auth0.jwt.exceptions.JWTVerificationException;
import com.auth0.jwt.exceptions.TokenExpiredException;
import com.auth0.jwt.interfaces.Claim;
import com.auth0.jwt.interfaces.DecodedJWT;
import java.nio.charset.StandardCharsets;
import java.security.AlgorithmParameters;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.interfaces.ECPublicKey;
import java.security.interfaces.RSAPublicKey;
import java.security.spec.ECGenParameterSpec;
import java.security.spec.ECParameterSpec;
import java.security.spec.InvalidKeySpecException;
import java.security.spec.X509EncodedKeySpec;
import java.util.Base64;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Verifier of JSON Web Tokens (RFC 7519), which an application's back end signs so that a page need
 * not hold a token for all sessions. The key determines the algorithm, whatever the JWT's header
 * names: HS256 for a secret, RS256 or ES256 for a public key. Immutable.
 */
public final class Jwts {
  private static final int LEAST_SECRET_BYTES = 32;
  private static final int LEAST_RSA_BITS = 2048;
  private static final Pattern PEM =
      Pattern.compile("-----BEGIN PUBLIC KEY-----([\\sA-Za-z0-9+/=]+)-----END PUBLIC KEY-----\\s*");

  /** How far the clock of a JWT's issuer may be ahead. */
  private static final int NOT_BEFORE_LEEWAY_SECONDS = 5;

  private final List<JWTVerifier> verifiers;

  private Jwts(List<JWTVerifier> verifiers) {
    this.verifiers = verifiers;
  }

  /**
   * Returns an instance that accepts a JWT if any of these keys verifies it.
   *
   * @param keys secrets of 32 bytes or more, or public keys in PEM
   * @throws IllegalArgumentException if a key is neither; the message says what a key must be, and
   *     does not contain the key
   */
  public static Jwts of(List<String> keys) {
    return new Jwts(keys.stream().map(Jwts::verifier).toList());
  }

  private static JWTVerifier verifier(String key) {
    return JWT.require(algorithm(key))
        .withClaimPresence("exp")
        .acceptNotBefore(NOT_BEFORE_LEEWAY_SECONDS)
        .ignoreIssuedAt()
        .build();
  }

  private static Algorithm algorithm(String key) {
    if (!key.contains("-----BEGIN")) {
      byte[] secret = key.getBytes(StandardCharsets.UTF_8);
      check(secret.length >= LEAST_SECRET_BYTES, "a secret of 32 bytes or more");
      return Algorithm.HMAC256(secret);
    }
    Matcher pem = PEM.matcher(key);
    check(pem.matches(), "a public key in PEM, as openssl pkey -pubout writes it");
    X509EncodedKeySpec encoded;
    try {
      encoded = new X509EncodedKeySpec(Base64.getMimeDecoder().decode(pem.group(1)));
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException("must be a public key in PEM; its base64 is damaged", e);
    }
    try {
      RSAPublicKey rsa = (RSAPublicKey) KeyFactory.getInstance("RSA").generatePublic(encoded);
      check(rsa.getModulus().bitLength() >= LEAST_RSA_BITS, "an RSA key of 2048 bits or more");
      return Algorithm.RSA256(rsa, null);
    } catch (InvalidKeySpecException e) {
      return ellipticCurve(encoded);
    } catch (GeneralSecurityException e) {
      throw new AssertionError("every Java has RSA", e);
    }
  }

  private static Algorithm ellipticCurve(X509EncodedKeySpec encoded) {
    try {
      ECPublicKey key = (ECPublicKey) KeyFactory.getInstance("EC").generatePublic(encoded);
      AlgorithmParameters p256 = AlgorithmParameters.getInstance("EC");
      p256.init(new ECGenParameterSpec("secp256r1"));
      ECParameterSpec curve = p256.getParameterSpec(ECParameterSpec.class);
      check(key.getParams().getOrder().equals(curve.getOrder()), "an EC key of the curve P-256");
      return Algorithm.ECDSA256(key, null);
    } catch (GeneralSecurityException e) {
      throw new IllegalArgumentException("must be a public key of RSA or of the curve P-256", e);
    }
  }

  private static void check(boolean right, String rule) {
    if (!right) {
      throw new IllegalArgumentException("must be " + rule);
    }
  }

  /** Returns whether there is any key; without one, no JWT is accepted. */
  public boolean hasKeys() {
    return !verifiers.isEmpty();
  }

  /** Returns what a JWT allows its bearer; null if no key verifies it, or it is not valid yet. */
  Grant verify(String token) {
    for (JWTVerifier verifier : verifiers) {
      try {
        DecodedJWT jwt = verifier.verify(token);
        // "crit" names extensions that a verifier must understand (RFC 7515, 4.1.11); none is here.
        return jwt.getHeaderClaim("crit").isMissing() ? Grant.of(jwt) : null;
      } catch (TokenExpiredException e) {
        return new Grant(List.of(), null, true);
      } catch (JWTVerificationException e) {
        // perhaps another key has signed it
      }
    }
    return null;
  }

  /**
   * What a JWT allows its bearer.
   *
   * @param scopes the allowed actions, such as {@code read}
   * @param session the id of the only session that the JWT is for; null if it is for all
   * @param expired whether the JWT has expired, and so allows nothing
   */
  record Grant(List<String> scopes, String session, boolean expired) {
    static Grant of(DecodedJWT jwt) {
      String scope = jwt.getClaim("scope").asString();
      Claim session = jwt.getClaim("session");
      boolean one = !session.isMissing() && !session.isNull();
      // A claim that is not a string becomes the empty id, which no session has.
      String id = one && session.asString() == null ? "" : session.asString();
      return new Grant(scope == null ? List.of() : List.of(scope.split(" ")), id, false);
    }

    /**
     * Returns whether the JWT allows a request.
     *
     * @param sessionId the session that the request is about; null if it is about none, or several
     */
    boolean allows(Role needed, String sessionId) {
      return needed != Role.ADMIN
          && scopes.contains(needed.shown())
          && (session == null || session.equals(sessionId));
    }
  }
}
