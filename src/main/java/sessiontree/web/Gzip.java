package sessiontree.web;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.zip.CRC32;
import java.util.zip.Deflater;
import java.util.zip.DeflaterOutputStream;
import org.eclipse.jetty.http.HttpFields;
import org.eclipse.jetty.http.HttpHeader;

/**
 * Gzip stream (RFC 1952) compressed in parts, each with a {@link Deflater} of its own, so that only
 * a checksum and a size stay in memory between two parts. It uses the fastest level: the others
 * save only a few percent.
 */
final class Gzip {
  private static final byte[] HEAD = {0x1f, (byte) 0x8b, 8, 0, 0, 0, 0, 0, 0, (byte) 0xff};
  private static final int TRAILER_BYTES = 8;

  private static final Pattern CODING =
      Pattern.compile("\\s*([^\\s;]+)\\s*(?:;\\s*q\\s*=\\s*([01](?:\\.[0-9]{0,3})?)\\s*)?");

  private final CRC32 crc = new CRC32();
  private long size;
  private boolean begun;

  /**
   * Returns whether {@code Accept-Encoding} accepts gzip, by name or by {@code *}, with a quality
   * no lower than that of {@code identity} (RFC 9110, section 12.5.3).
   */
  static boolean isAccepted(HttpFields headers) {
    double gzip = -1;
    double any = -1;
    double identity = -1;
    for (String coding : headers.getCSV(HttpHeader.ACCEPT_ENCODING, false)) {
      Matcher accepted = CODING.matcher(coding.toLowerCase(Locale.ROOT));
      if (accepted.matches()) {
        double quality = accepted.group(2) == null ? 1 : Double.parseDouble(accepted.group(2));
        switch (accepted.group(1)) {
          case "gzip", "x-gzip" -> gzip = Math.max(gzip, quality);
          case "*" -> any = quality;
          case "identity" -> identity = quality;
          default -> {}
        }
      }
    }
    double quality = gzip < 0 ? any : gzip;
    return quality > 0 && quality >= identity;
  }

  /** Returns the bytes as a compressed stream. */
  static byte[] of(byte[] bytes) {
    try {
      ByteBuffer compressed = new Gzip().compressed(ByteBuffer.wrap(bytes), true);
      return compressed.array();
    } catch (IOException e) {
      throw new UncheckedIOException("writing to memory failed", e);
    }
  }

  /** Returns the next part, compressed. */
  ByteBuffer compressed(ByteBuffer part, boolean last) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    if (!begun) {
      begun = true;
      bytes.writeBytes(HEAD);
    }
    int from = part.arrayOffset() + part.position();
    crc.update(part.array(), from, part.remaining());
    size += part.remaining();
    Deflater deflater = new Deflater(Deflater.BEST_SPEED, true);
    try {
      DeflaterOutputStream out = new DeflaterOutputStream(bytes, deflater, 8 << 10, true);
      out.write(part.array(), from, part.remaining());
      if (last) {
        out.finish();
        ByteBuffer trailer = ByteBuffer.allocate(TRAILER_BYTES).order(ByteOrder.LITTLE_ENDIAN);
        trailer.putInt((int) crc.getValue()).putInt((int) size); // size modulo 2^32
        bytes.writeBytes(trailer.array());
      } else {
        out.flush(); // up to a byte boundary
      }
    } finally {
      deflater.end();
    }
    return ByteBuffer.wrap(bytes.toByteArray());
  }
}
