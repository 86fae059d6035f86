import type { StoredObject } from '../../../src/segment/object-inventory.ts'
import { objectInventoryContract } from '../../contracts/object-inventory.contract.ts'
import { MemoryObjectInventory } from '../../support/memory-object-inventory.ts'
import { MemoryObjectStore } from '../../support/memory-object-store.ts'

objectInventoryContract('memory', () => {
  const store = new MemoryObjectStore()
  const inventory = new MemoryObjectInventory(store)
  const others = {
    replace: async (key: string, body: Buffer) => inventory.replace(key, body),
    cover: async (key: string) => inventory.cover(key),
    retain: async ({ versionId }: StoredObject, untilMs: number) =>
      void inventory.retained.set(versionId as string, untilMs),
  }
  return { store, reader: store, inventory, others, close: () => store.close() }
})
