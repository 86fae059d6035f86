import { isDeepStrictEqual } from 'node:util'
import { messageOf, SealError } from '../../src/errors.ts'
import { placeOf } from '../../src/pipeline/message-source.ts'
import { SealedReader } from '../../src/reader/sealed-reader.ts'
import { emptyDirectory } from '../support/empty-directory.ts'
import { comparable } from '../support/messages.ts'
import { SteppedClock } from '../support/stepped-clock.ts'
import { KEK_ID } from './sim-kms.ts'
import type { World } from './world.ts'

/** Opens every visible reference with the product's own reader, and compares what comes out. */
export async function openEverything(world: World): Promise<void> {
  const reader = readerOf(world)
  try {
    const { visible } = world.checker
    const messages = await reader.openReferences(visible)
    for (const [i, opened] of messages.entries()) {
      const partition = world.kafka.partition(opened)
      const { message } = partition.records[partition.indexOf(opened.offset)] ?? {}
      if (message && isDeepStrictEqual(comparable(opened), comparable(message))) continue
      world.violate(`${placeOf(opened)}@${visible[i]?.offset} opens to another message`)
    }
  } catch (error) {
    world.violate(`references do not open: ${messageOf(error)}`)
  } finally {
    await reader.close()
  }
}

function readerOf({ bucket, wrappedKeys }: World): SealedReader {
  const range = (key: string, position: number, length: number) => {
    const object = bucket.objects.get(key)
    if (object === undefined) throw new SealError('SEAL_OBJECT_MISSING', key)
    const bytes = Buffer.from(object.bytes.subarray(position, position + length))
    const { metadata } = object
    return { bytes, metadata, etag: '', objectBytes: object.bytes.length }
  }
  const objects = {
    readRange: async (key: string, position: number, length: number) =>
      range(key, position, length),
    readEnd: async (key: string, bytesMax: number) => range(key, 0, bytesMax),
    close: async () => {},
  }
  const kms = {
    unwrap: async (_kekId: string, wrapped: Uint8Array) =>
      Buffer.from(wrappedKeys.get(Buffer.from(wrapped).toString('hex')) ?? []),
    close: async () => {},
  }
  const clock = new SteppedClock()
  const keys = { allowedKekIds: [KEK_ID], entriesMax: 1_000, ttlMs: 60_000 }
  return new SealedReader({ objects, kms, directory: emptyDirectory, clock }, keys)
}
