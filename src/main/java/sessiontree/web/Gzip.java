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
 * Compresses a stream (RFC 1952) part by part, each for itself, so that between two nothing but a
 * checksum is in memory. Speed first: the rest gains a few percent.
 */
final class Gzip {
  private static final byte[] HEAD = {0x1f, (byte) 0x8b, 8, 0, 0, 0, 0, 0, 0, (byte) 0xff};
  private static final int TRAILER_BYTES = 8;

  private static final Pattern CODING =
      Pattern.compile("\\s*([^\\s;]+)\\s*(?:;\\s*q\\s*=\\s*([01](?:\\.[0-9]{0,3})?)\\s*)?");

  private final CRC32 crc = new CRC32();
  private long size;

  /**
   * Whether gzip, or all that is not named, is accepted, and liked no less than no coding (RFC
   * 9110, section 12.5.3).
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

  /** The bytes, compressed. */
  static byte[] of(byte[] bytes) {
    try {
      ByteBuffer compressed = new Gzip().compressed(ByteBuffer.wrap(bytes), true);
      return compressed.array();
    } catch (IOException e) {
      throw new UncheckedIOException("writing to memory failed", e);
    }
  }

  /** Compresses the next part. */
  ByteBuffer compressed(ByteBuffer part, boolean last) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    if (size == 0) {
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
        trailer.putInt((int) crc.getValue()).putInt((int) size); // modulo 2^32
        bytes.writeBytes(trailer.array());
      } else {
        out.flush(); // to a whole byte
      }
    } finally {
      deflater.end();
    }
    return ByteBuffer.wrap(bytes.toByteArray());
  }
}
