package sessiontree.store;

/** The memory store keeps the contract, and promises nothing more. */
class MemoryStoreTest extends SessionStoreContract<MemoryStore> {
  @Override
  protected MemoryStore openStore() {
    return MemoryStore.create();
  }
}
