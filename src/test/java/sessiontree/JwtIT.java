package sessiontree;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static sessiontree.Entries.end;
import static sessiontree.Entries.event;
import static sessiontree.Entries.message;
import static sessiontree.Entries.start;
import static sessiontree.Entries.tree;
import static sessiontree.ProblemDetails.assertProblem;

import com.auth0.jwt.JWT;
import com.auth0.jwt.JWTCreator;
import com.auth0.jwt.algorithms.Algorithm;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.PublicKey;
import java.security.interfaces.ECPrivateKey;
import java.security.interfaces.RSAPrivateKey;
import java.security.spec.ECGenParameterSpec;
import java.time.Instant;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What the bearer of a JWT may do, and which JWTs are refused. */
class JwtIT {
  private static final String SECRET = "a secret of the back end, of 32 bytes or more";
  private static final String OLD_SECRET = "another secret, which the back end used before it";
  private static final String ADMIN = "a-token";
  private static final Algorithm HS256 = Algorithm.HMAC256(SECRET);

  @TempDir static Path folder;
  private static JarServers servers;
  private static JarServer server;
  private static KeyPair rsa;
  private static KeyPair ec;

  @BeforeAll
  static void startServer() throws Exception {
    servers = new JarServers(folder);
    rsa = KeyPairGenerator.getInstance("RSA").generateKeyPair();
    KeyPairGenerator p256 = KeyPairGenerator.getInstance("EC");
    p256.initialize(new ECGenParameterSpec("secp256r1"));
    ec = p256.generateKeyPair();
    Path old = Files.writeString(folder.resolve("old"), OLD_SECRET + "\n");
    server =
        servers.get("jwt", "--jwt-key", SECRET, "--jwt-key", "@" + old, "--admin-token", ADMIN);
    for (String id : List.of("mine", "other")) {
      HttpResult stored =
          post(server, id, jwt("write", id).sign(HS256), message(start(id), event("2", id)));
      assertThat(stored.status()).as(stored.body()).isEqualTo(200);
    }
  }

  @AfterAll
  static void endServers() throws Exception {
    servers.close();
  }

  private static Instant inAMinute() {
    return Instant.now().plusSeconds(60);
  }

  /** Returns a builder of a JWT for one session, or for all if {@code session} is null. */
  private static JWTCreator.Builder jwt(String scope, String session) {
    JWTCreator.Builder jwt = JWT.create().withExpiresAt(inAMinute()).withClaim("scope", scope);
    return session == null ? jwt : jwt.withClaim("session", session);
  }

  private static HttpResult post(JarServer server, String id, String token, String message)
      throws Exception {
    return HttpResult.post(
        server, "/sessions/" + id + "/events", message, "Authorization", "Bearer " + token);
  }

  private static HttpResult get(JarServer server, String path, String token) throws Exception {
    return HttpResult.send(server, "GET", path, "Authorization", "Bearer " + token);
  }

  private static HttpResult read(String token) throws Exception {
    return get(server, "/sessions/mine?partial=true", token);
  }

  @Test
  void pageStreamsItsSession_andGoesOnWhenItsJwtHasExpired() throws Exception {
    Instant soon = Instant.now().plusSeconds(2);
    String token = jwt("write", "page").withExpiresAt(soon).sign(HS256);
    Request upgrade =
        new Request.Builder()
            .url(server.uri("/sessions/page/stream").toURL())
            .header("Sec-WebSocket-Protocol", "sessiontree, bearer." + token)
            .build();
    try (StreamClient stream = StreamClient.connect(new OkHttpClient(), upgrade)) {
      stream.next("OPEN");
      stream.send(message(start("page")));
      stream.ack(1);
      Await.until("the JWT has expired", () -> Instant.now().isAfter(soon.plusSeconds(1)));
      stream.send(message(event("2", "a"), end("page")));
      stream.complete();
    }
    HttpResult late = post(server, "page", token, message(event("3", "b")));
    assertProblem(late, 401, "unauthorized");
    assertThat(late.body()).contains("has expired");
    assertThatThrownBy(() -> StreamClient.connect(new OkHttpClient(), upgrade))
        .isInstanceOf(IOException.class)
        .hasStackTraceContaining("401");
    String reader = "?access_token=" + jwt("read", "page").sign(HS256);
    assertThat(HttpResult.send(server, "GET", "/sessions/page" + reader).body())
        .isEqualTo(tree(event("2", "a")));
  }

  @ParameterizedTest
  @CsvSource({
    "read,       mine,  GET,    /sessions/mine?partial=true, 200",
    "read,       mine,  GET,    /sessions/%6dine,            409",
    "read,       mine,  HEAD,   /sessions/mine/live,         200",
    "read write, mine,  GET,    /sessions/mine?partial=true, 200",
    "read,       ,      GET,    /sessions/mine?partial=true, 200",
    "read,       ,      GET,    /sessions,                   200",
    "read,       ,      GET,    /metrics,                    200",
    "write,      mine,  POST,   /sessions/mine/events,       400",
    "write,      ,      POST,   /sessions/other/events,      400",
    "write,      mine,  GET,    /sessions/mine/stream,       426",
    "read,       mine,  GET,    /sessions/other,             403",
    "read,       mine,  GET,    /sessions/other/live,        403",
    "read,       mine,  GET,    /sessions/Mine,              403",
    "read,       mine,  GET,    /sessions/mine%2f,           403",
    "read,       mine,  GET,    /sessions,                   403",
    "read,       mine,  GET,    /metrics,                    403",
    "read,       '',    GET,    /sessions/mine,              403",
    "read,       mine,  POST,   /sessions/mine/events,       403",
    "read,       mine,  GET,    /sessions/mine/stream,       403",
    "write,      mine,  GET,    /sessions/mine,              403",
    "write,      mine,  GET,    /sessions/mine/live,         403",
    "write,      mine,  POST,   /sessions/other/events,      403",
    "write,      mine,  GET,    /sessions/other/stream,      403",
    "admin,      ,      GET,    /sessions/mine,              403",
    "read write, ,      DELETE, /sessions/mine,              403",
    "admin,      ,      DELETE, /sessions/mine,              403",
    "READ,       mine,  GET,    /sessions/mine,              403",
    "'',         mine,  GET,    /sessions/mine,              403"
  })
  void scopeAndSession_sayWhatItIsFor(
      String scope, String session, String method, String path, int status) throws Exception {
    String bearer = "Bearer " + jwt(scope, session).sign(HS256);
    assertThat(HttpResult.send(server, method, path, "Authorization", bearer).status())
        .isEqualTo(status);
  }

  @Test
  void scopeOrSessionOfAnotherKind_isForNothing() throws Exception {
    JWTCreator.Builder list = jwt("read", null).withClaim("session", List.of("mine"));
    assertProblem(read(list.sign(HS256)), 403, "forbidden");
    JWTCreator.Builder number = jwt("read", null).withClaim("session", 1);
    assertProblem(read(number.sign(HS256)), 403, "forbidden");
    JWTCreator.Builder scopes = jwt("read", "mine").withClaim("scope", List.of("read"));
    assertProblem(read(scopes.sign(HS256)), 403, "forbidden");
  }

  @Test
  void keyOfBefore_isTakenStill_andAnotherIsNot() throws Exception {
    assertThat(read(jwt("read", "mine").sign(Algorithm.HMAC256(OLD_SECRET))).status())
        .isEqualTo(200);
    String other = jwt("read", "mine").sign(Algorithm.HMAC256(SECRET + " "));
    assertProblem(read(other), 401, "unauthorized");
  }

  @Test
  void timeThatIsOver_orNotYet_orMissing_isRefused() throws Exception {
    Instant now = Instant.now();
    for (JWTCreator.Builder wrong :
        List.of(
            jwt("read", "mine").withExpiresAt(now.minusSeconds(1)),
            jwt("read", "mine").withNotBefore(now.plusSeconds(30)),
            JWT.create().withClaim("scope", "read").withClaim("session", "mine"))) {
      assertProblem(read(wrong.sign(HS256)), 401, "unauthorized");
    }
    assertThat(read(jwt("read", "mine").withIssuedAt(now.plusSeconds(30)).sign(HS256)).status())
        .as("the clock of the one who made it is ahead")
        .isEqualTo(200);
  }

  private static String encoded(String json) {
    return Base64.getUrlEncoder()
        .withoutPadding()
        .encodeToString(json.getBytes(StandardCharsets.UTF_8));
  }

  @ParameterizedTest
  @ValueSource(strings = {"none", "None", "NONE", "HS384", "HS512", "RS256", "ES256", ""})
  void algorithmThatIsNotTheKeys_isRefused(String algorithm) throws Exception {
    String right = jwt("read", "mine").sign(HS256);
    String[] parts = right.split("\\.");
    String header = encoded("{\"alg\":\"" + algorithm + "\",\"typ\":\"JWT\"}");
    for (String signature : List.of("", parts[2])) {
      String token = header + "." + parts[1] + "." + signature;
      assertProblem(read(token), 401, "unauthorized");
    }
    assertThat(read(right).status()).isEqualTo(200);
  }

  @Test
  void criticalExtension_isRefused_asNoneIsKnown() throws Exception {
    String token =
        jwt("read", "mine").withHeader(Map.of("crit", List.of("b64"), "b64", true)).sign(HS256);
    assertProblem(read(token), 401, "unauthorized");
  }

  @Test
  void whatIsChanged_orNoJwt_isRefused() throws Exception {
    String right = jwt("read", "other").sign(HS256);
    String[] parts = right.split("\\.");
    String claims = encoded("{\"scope\":\"read\",\"exp\":" + inAMinute().getEpochSecond() + "}");
    for (String wrong :
        List.of(
            parts[0] + "." + claims + "." + parts[2],
            parts[0] + "." + parts[1] + ".",
            parts[0] + "." + parts[1],
            right + "." + parts[2],
            "..",
            "a.b.c",
            parts[0] + "." + encoded("[]") + "." + parts[2],
            SECRET.replace(' ', '-'))) {
      assertProblem(read(wrong), 401, "unauthorized");
    }
  }

  private static Path pem(PublicKey key) throws IOException {
    return Files.writeString(
        folder.resolve(key.getAlgorithm() + ".pem"),
        "-----BEGIN PUBLIC KEY-----\n"
            + Base64.getMimeEncoder().encodeToString(key.getEncoded())
            + "\n-----END PUBLIC KEY-----\n");
  }

  /** Forges a JWT, like an attacker who hopes that the public key is taken for an HMAC secret. */
  private static String signedWithPublicKey(PublicKey key) throws IOException {
    return jwt("read", "mine").sign(Algorithm.HMAC256(Files.readString(pem(key)).strip()));
  }

  @Test
  void publicKey_takesItsAlgorithmOnly() throws Exception {
    Map<KeyPair, Algorithm> signers =
        Map.of(
            rsa, Algorithm.RSA256(null, (RSAPrivateKey) rsa.getPrivate()),
            ec, Algorithm.ECDSA256(null, (ECPrivateKey) ec.getPrivate()));
    for (KeyPair pair : signers.keySet()) {
      String name = pair.getPublic().getAlgorithm();
      JarServer server = servers.get(name, "--jwt-key", "@" + pem(pair.getPublic()));
      String write = jwt("write", "mine").sign(signers.get(pair));
      assertThat(post(server, "mine", write, message(start("mine"))).status()).isEqualTo(200);
      String path = "/sessions/mine?partial=true";
      String read = jwt("read", "mine").sign(signers.get(pair));
      assertThat(get(server, path, read).status()).isEqualTo(200);
      assertProblem(get(server, path, signedWithPublicKey(pair.getPublic())), 401, "unauthorized");
      signers.forEach(
          (other, signer) -> {
            if (other != pair) {
              assertRefused(server, path, jwt("read", "mine").sign(signer));
            }
          });
      Algorithm longer =
          pair == rsa
              ? Algorithm.RSA512(null, (RSAPrivateKey) rsa.getPrivate())
              : Algorithm.HMAC256(SECRET);
      assertRefused(server, path, jwt("read", "mine").sign(longer));
    }
  }

  private static void assertRefused(JarServer server, String path, String token) {
    try {
      assertProblem(get(server, path, token), 401, "unauthorized");
    } catch (Exception e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void withKeysAlone_nobodyComesInWithoutOne_andNobodyDeletes() throws Exception {
    JarServer server = servers.get("alone", "--jwt-key", SECRET);
    String events = "/sessions/a/events";
    assertProblem(HttpResult.post(server, events, message(start("a"))), 401, "unauthorized");
    assertProblem(HttpResult.send(server, "GET", "/sessions"), 401, "unauthorized");
    assertProblem(HttpResult.send(server, "DELETE", "/sessions/a"), 401, "unauthorized");
    String bearer = "Bearer " + jwt("read write admin", null).sign(HS256);
    HttpResult deletion = HttpResult.send(server, "DELETE", "/sessions/a", "Authorization", bearer);
    assertProblem(deletion, 403, "forbidden");
    assertThat(HttpResult.send(server, "GET", "/health").status()).isEqualTo(200);
    assertThat(HttpResult.send(server, "GET", "/").status()).isEqualTo(200);
  }
}
