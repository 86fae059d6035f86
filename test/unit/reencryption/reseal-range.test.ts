import { beforeEach, expect, test } from 'vitest'
import { type CipherEngine, nodeEngine } from '../../../src/crypto/cipher-engine.ts'
import type { FrameCipher } from '../../../src/crypto/frame-cipher.ts'
import { resealRange } from '../../../src/reencryption/reseal-range.ts'
import type { ResealTask } from '../../../src/reencryption/reseal-task.ts'
import { reencryptSegment } from '../../../src/reencryption/segment-reencryption.ts'
import { messages } from '../../support/messages.ts'
import { ReencryptionPlace } from '../../support/reencryption-place.ts'

let place: ReencryptionPlace
beforeEach(() => {
  place = new ReencryptionPlace()
})

/** Re-encrypts a segment by an engine of the test's; `change` alters tasks on their way. */
async function reencryptBy(engine: CipherEngine, change = (task: ResealTask) => task) {
  const item = await place.seal(messages(10))
  const { store } = place
  const runner = {
    run: (task: ResealTask) => resealRange(change(task), { engine, objects: store, store }),
    close: async () => {},
  }
  const before = store.objects.get(item.objectKey)
  const reencrypting = reencryptSegment(place.services(undefined, { runner }), item)
  return { reencrypting, isUntouched: () => store.objects.get(item.objectKey) === before }
}

/** Seals something else than it was given, and so that it opens well: a fault of the machine. */
const faulty: CipherEngine = {
  name: 'node',
  create(keys) {
    const cipher = nodeEngine.create(keys)
    const seal: FrameCipher['seal'] = (part, at, ...rest) => {
      part.writeUInt8(part.readUInt8(at + 30) ^ 1, at + 30)
      cipher.seal(part, at, ...rest)
    }
    return {
      ...{ seal, open: cipher.open.bind(cipher) },
      [Symbol.dispose]: () => cipher[Symbol.dispose](),
    }
  },
}

test('a frame that was sealed wrong is seen before anything is replaced', async () => {
  const { reencrypting, isUntouched } = await reencryptBy(faulty)
  await expect(reencrypting).rejects.toMatchObject({ code: 'SEAL_OPEN_FAILED' })
  expect(isUntouched()).toBe(true)
})

test('another frame than the index says is not sealed as if it were that one', async () => {
  const { reencrypting, isUntouched } = await reencryptBy(nodeEngine, (task) => {
    task.frames.offset[3] = 99_999
    return task
  })
  await expect(reencrypting).rejects.toMatchObject({ code: 'SEAL_MALFORMED' })
  expect(isUntouched()).toBe(true)
})
