import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import type { KeyStore } from '../../src/keys/key-store.ts'
import type { WrapRegister } from '../../src/keys/wrap-register.ts'
import type { MappingReader, MappingWriter } from '../../src/mapping/mapping-store.ts'
import type { ShredRegister } from '../../src/mapping/shred-register.ts'
import { all, columnsOf, dekRecord, messagesFrom } from './mapping-store.contract.ts'

/** The sides of one store that a shredding touches. */
export interface ShredRegisterParts {
  readonly shreds: ShredRegister
  readonly register: WrapRegister
  readonly keys: KeyStore
  readonly writer: MappingWriter
  readonly reader: MappingReader
}

/** What every register keeps to in which DEKs and segments are destroyed. `parts` is called inside the tests. */
export function shredRegisterContract(parts: () => ShredRegisterParts): void {
  test('of a DEK the wrap goes and nothing else; no rewrap takes its place', async () => {
    const { shreds, register, keys, reader } = parts()
    const dek = dekRecord({ wrapped: Buffer.from(randomUUID()) })
    await keys.recordDek(dek)
    await shreds.destroyWrap(dek.dekId)
    await shreds.destroyWrap(dek.dekId)
    const found = await register.find(dek.dekId)
    expect(found).toMatchObject({ dekId: dek.dekId, kekId: dek.kekId, keyDomain: dek.keyDomain })
    expect(found?.wrapped).toHaveLength(0)
    expect(await reader.findDek(dek.dekId)).not.toBeNull()
    const late = { ...dek, wrapped: Buffer.from('late') }
    expect(await register.replaceWrap(late, dek.wrapped)).toBe(false)
    const unknown = randomUUID()
    await shreds.destroyWrap(unknown)
    expect(await register.find(unknown)).toBeNull()
  })

  test('a segment is shredded from then on, and what it held stays on record', async () => {
    const { shreds, writer, reader } = parts()
    const key = { dekId: randomUUID(), segmentId: randomUUID() }
    const objectKey = `sealed/segments/orders/2026/01/02/03/${key.segmentId}.seal`
    await writer.recordIntent({ ...key, objectKey, createdAtMs: 1_000 })
    await writer.writeRows(key, objectKey, columnsOf(messagesFrom(0, 3)))
    await writer.recordSealed({ ...key, messageCount: 3, bytes: 900, sealedAtMs: 2_000 })
    await writer.recordPublished(key, 3_000)
    const rows = { ...key, rowsDekId: key.dekId }
    await shreds.markShredded(rows, 4_000)
    await shreds.markShredded(rows, 5_000)
    expect(await reader.findSegment(key)).toMatchObject({
      ...{ state: 'shredded', messageCount: 3, bytes: 900 },
    })
    const pages = await all(reader.framesOfSegment(rows))
    expect(pages.reduce((sum, { count }) => sum + count, 0)).toBe(3)
  })
}
