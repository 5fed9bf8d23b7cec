package sessiontree.store.log;

import java.io.IOException;
import java.nio.file.Path;

/** A file does not hold what was written to it. Nothing is repaired: a person must look. */
public final class DamageException extends IOException {
  private static final long serialVersionUID = 1;

  public DamageException(Path file, String what) {
    super(file.getFileName() + ": " + what);
  }
}
