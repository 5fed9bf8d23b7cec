package sessiontree.store.log;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;

/**
 * A disk in memory that loses what was not forced when the power fails, and on which one operation,
 * or several in a row, can be made to fail. A failed write leaves a part of its bytes. As on Linux,
 * what a failed force should have made durable stays readable, but is lost with the power. Every
 * directory exists.
 */
public final class FaultyDisk implements Disk {
  private final State state;
  private boolean off;

  /** State that outlives a process. Guards everything, files included. */
  private static final class State {
    private final Random random;
    private final TreeMap<Path, Inode> names = new TreeMap<>();
    private final TreeMap<Path, Inode> durableNames = new TreeMap<>();
    private final Map<Path, List<NameChange>> pending = new HashMap<>();
    private FaultyDisk locked;
    private long operations;
    private long failFrom = Long.MAX_VALUE;
    private long failUntil;
    private long room = Long.MAX_VALUE / 2;

    State(Random random) {
      this.random = random;
    }
  }

  private record NameChange(Path path, Inode inode) {}

  private static final class Inode {
    private byte[] content = {};
    private byte[] durable = {};
    private long modified;
    private final List<Change> pending = new ArrayList<>();
  }

  /** Bytes written at a position; if they are null, the file is cut there. */
  private record Change(long position, byte[] bytes) {
    byte[] applied(byte[] content) {
      if (bytes == null) {
        return Arrays.copyOf(content, (int) position);
      }
      byte[] changed =
          Arrays.copyOf(content, Math.max(content.length, (int) position + bytes.length));
      System.arraycopy(bytes, 0, changed, (int) position, bytes.length);
      return changed;
    }
  }

  private FaultyDisk(State state) {
    this.state = state;
  }

  public static FaultyDisk create(Random random) {
    return new FaultyDisk(new State(random));
  }

  /** Makes {@code times} operations in a row fail, after {@code operation} more that succeed. */
  public void failAt(long operation, long times) {
    synchronized (state) {
      state.failFrom = state.operations + operation;
      state.failUntil = state.failFrom + times;
    }
  }

  /** Returns the number of operations tried so far. */
  public long operations() {
    synchronized (state) {
      return state.operations;
    }
  }

  /** Limits by how many bytes all files together can grow from now on. */
  public void limit(long bytes) {
    synchronized (state) {
      state.room = bytes;
    }
  }

  public void heal() {
    synchronized (state) {
      state.failFrom = Long.MAX_VALUE;
    }
  }

  /** Kills the process; the returned disk has everything that was written, forced or not. */
  public FaultyDisk kill() {
    synchronized (state) {
      off = true;
      state.locked = null;
      state.failFrom = Long.MAX_VALUE;
      return new FaultyDisk(state);
    }
  }

  /** Cuts the power; of what was not forced, the returned disk has anything from nothing to all. */
  public FaultyDisk losePower() {
    synchronized (state) {
      int mode = state.random.nextInt(3); // survivors: 0: none; 1: the first ones; 2: any
      state.pending.values().forEach(changes -> changes.forEach(change -> lose(change, mode)));
      state.pending.clear();
      state.names.clear();
      state.names.putAll(state.durableNames);
      state.names.values().forEach(inode -> lose(inode, mode));
      return kill();
    }
  }

  private void lose(NameChange change, int mode) {
    if (mode == 2 && state.random.nextBoolean()) {
      rename(state.durableNames, change);
    }
  }

  private void lose(Inode inode, int mode) {
    byte[] content = inode.durable;
    int survivors = mode == 0 ? 0 : state.random.nextInt(inode.pending.size() + 1);
    for (int i = 0; i < inode.pending.size(); i++) {
      Change change = inode.pending.get(i);
      boolean survives = mode == 1 ? i < survivors : mode == 2 && state.random.nextBoolean();
      if (survives) {
        content = change.applied(content);
      } else if (mode == 1 && i == survivors && change.bytes() != null) {
        content = torn(change).applied(content);
      }
    }
    inode.pending.clear();
    inode.content = inode.durable = content;
  }

  private Change torn(Change change) {
    return new Change(
        change.position(),
        Arrays.copyOf(change.bytes(), state.random.nextInt(change.bytes().length + 1)));
  }

  private static void rename(Map<Path, Inode> names, NameChange change) {
    if (change.inode() == null) {
      names.remove(change.path());
    } else {
      names.put(change.path(), change.inode());
    }
  }

  /** Counts an operation that is about to be done; returns whether it has to fail. */
  private boolean fails() throws IOException {
    if (off) {
      throw new IOException("the process has ended");
    }
    long operation = state.operations++;
    return operation >= state.failFrom && operation < state.failUntil;
  }

  private static IOException failure(String what) {
    return new IOException("injected: " + what);
  }

  private void change(Path path, Inode inode) {
    NameChange change = new NameChange(path, inode);
    rename(state.names, change);
    state.pending.computeIfAbsent(path.getParent(), parent -> new ArrayList<>()).add(change);
  }

  private Inode existing(Path file) throws IOException {
    Inode inode = state.names.get(file);
    if (inode == null) {
      throw new NoSuchFileException(file.toString());
    }
    return inode;
  }

  @Override
  public DiskFile create(Path file) throws IOException {
    synchronized (state) {
      if (fails()) {
        throw failure("create");
      }
      Inode inode = state.names.get(file);
      if (inode == null) {
        inode = new Inode();
        change(file, inode);
      }
      OpenFile open = new OpenFile(inode);
      open.apply(new Change(0, null));
      return open;
    }
  }

  @Override
  public DiskFile open(Path file) throws IOException {
    synchronized (state) {
      if (off) {
        throw new IOException("the process has ended");
      }
      return new OpenFile(existing(file));
    }
  }

  @Override
  public void rename(Path from, Path to) throws IOException {
    synchronized (state) {
      if (fails()) {
        throw failure("rename");
      }
      Inode inode = existing(from);
      change(to, inode);
      change(from, null);
    }
  }

  @Override
  public void delete(Path file) throws IOException {
    synchronized (state) {
      if (fails()) {
        throw failure("delete");
      }
      if (state.names.containsKey(file)) {
        change(file, null);
      }
    }
  }

  @Override
  public void sync(Path directory) throws IOException {
    synchronized (state) {
      if (fails()) {
        throw failure("directory sync");
      }
      List<NameChange> changes = state.pending.remove(directory);
      if (changes != null) {
        changes.forEach(change -> rename(state.durableNames, change));
      }
    }
  }

  @Override
  public long modified(Path file) throws IOException {
    synchronized (state) {
      return existing(file).modified;
    }
  }

  @Override
  public void setModified(Path file, long epochMicros) throws IOException {
    synchronized (state) {
      if (fails()) {
        throw failure("set modified");
      }
      existing(file).modified = epochMicros;
    }
  }

  @Override
  public void createDirectories(Path directory) throws IOException {
    synchronized (state) {
      if (fails()) {
        throw failure("create directory");
      }
    }
  }

  @Override
  public void createDirectory(Path directory) throws IOException {
    createDirectories(directory);
  }

  @Override
  public Object identity(Path file) throws IOException {
    synchronized (state) {
      if (off) {
        throw new IOException("the process has ended");
      }
      return state.names.get(file);
    }
  }

  @Override
  public List<Path> list(Path directory) {
    synchronized (state) {
      return state.names.keySet().stream()
          .filter(path -> directory.equals(path.getParent()))
          .toList();
    }
  }

  @Override
  public Closeable lock(Path file) throws IOException {
    synchronized (state) {
      if (state.locked != null) {
        throw new IOException("another process uses it");
      }
      state.locked = this;
      return () -> {
        synchronized (state) {
          state.locked = state.locked == this ? null : state.locked;
        }
      };
    }
  }

  private final class OpenFile implements DiskFile {
    private final Inode inode;

    OpenFile(Inode inode) {
      this.inode = inode;
    }

    void apply(Change change) {
      inode.content = change.applied(inode.content);
      inode.pending.add(change);
    }

    @Override
    public void write(ByteBuffer source, long position) throws IOException {
      synchronized (state) {
        byte[] bytes = new byte[source.remaining()];
        source.get(bytes);
        Change change = new Change(position, bytes);
        if (fails()) {
          apply(torn(change));
          throw failure("write");
        }
        long more = Math.max(0, position + bytes.length - inode.content.length);
        if (more > state.room) {
          apply(
              new Change(position, Arrays.copyOf(bytes, (int) (bytes.length - more + state.room))));
          state.room = 0;
          throw failure("no room");
        }
        state.room -= more;
        apply(change);
      }
    }

    @Override
    public int read(ByteBuffer target, long position) throws IOException {
      synchronized (state) {
        if (off) {
          throw new IOException("the process has ended");
        }
        int length =
            (int) Math.max(0, Math.min(target.remaining(), inode.content.length - position));
        target.put(inode.content, (int) Math.min(position, inode.content.length), length);
        return length;
      }
    }

    @Override
    public void force() throws IOException {
      synchronized (state) {
        if (fails()) {
          inode.pending.removeIf(change -> change.bytes() != null && state.random.nextBoolean());
          throw failure("force");
        }
        for (Change change : inode.pending) {
          inode.durable = change.applied(inode.durable);
        }
        inode.pending.clear();
      }
    }

    @Override
    public void truncate(long size) throws IOException {
      synchronized (state) {
        if (fails()) {
          throw failure("truncate");
        }
        if (size < inode.content.length) {
          state.room += inode.content.length - size;
          apply(new Change(size, null));
        }
      }
    }

    @Override
    public long size() throws IOException {
      synchronized (state) {
        if (off) {
          throw new IOException("the process has ended");
        }
        return inode.content.length;
      }
    }

    @Override
    public void close() {}
  }
}
