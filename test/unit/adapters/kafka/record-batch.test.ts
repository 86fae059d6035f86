import { gzipSync, zstdCompressSync } from 'node:zlib'
import { crc32c } from '@node-rs/crc32'
import { compressFrameSync } from 'lz4-napi'
import { compressSync } from 'snappy'
import { describe, expect, it } from 'vitest'
import { decompress } from '../../../../src/adapters/kafka/codecs.ts'
import { decodeRecordSet } from '../../../../src/adapters/kafka/record-batch.ts'
import { RECORD_BATCH_BYTES_MAX } from '../../../../src/limits.ts'
import { comparable } from '../../../support/messages.ts'
import {
  type Compression,
  encodeRecordBatch,
  int32,
  type RawRecord,
} from '../../../support/record-batch.ts'
import { numberedRecords, oddRecords, record } from '../../../support/records.ts'

/** The records of one partition as they stand in a response, behind their length. */
function decode(...batches: Buffer[]) {
  const set = Buffer.concat(batches)
  const after = Buffer.from('what follows')
  const response = { buffer: Buffer.concat([int32(set.length), set, after]), offset: 0 }
  return decodeRecordSet(response).then((decoded) => {
    expect(response.buffer.subarray(response.offset)).toEqual(after)
    return decoded
  })
}

/** Changes one byte, and the checksum with it where `isHidden`. */
function flipped(batch: Buffer, at: number, isHidden = false): Buffer {
  const copy = Buffer.from(batch)
  copy[at] = (copy[at] as number) ^ 0x01
  if (isHidden) copy.writeUInt32BE(crc32c(copy.subarray(21)), 17)
  return copy
}

const THREE = numberedRecords(3, 'value')
const CODECS: Compression[] = ['none', 'gzip', 'snappy', 'snappy-java', 'lz4', 'zstd']

describe('a record batch', () => {
  it.each(CODECS)('comes through %s with every byte of the oddest records', async (codec) => {
    const { batches, failure } = await decode(encodeRecordBatch(oddRecords, codec))
    expect(failure).toBeNull()
    const records = batches.flatMap(({ records }) => [...records])
    expect(records).toHaveLength(oddRecords.length)
    records.forEach((decoded, i) => {
      expect(decoded.offset).toBe(i)
      const written = { ...(oddRecords[i] as RawRecord), timestampType: 'create' as const }
      expect(comparable(decoded)).toEqual(comparable(written))
    })
  })

  it('of more records than a call takes arguments is read', async () => {
    const many = Array.from({ length: 200_000 }, () => record({ key: null, value: null }))
    const { batches } = await decode(encodeRecordBatch(many, 'zstd'))
    expect([...(batches[0]?.records ?? [])]).toHaveLength(200_000)
  })

  it('with no records left by compaction still says where the next begins', async () => {
    const batch = encodeRecordBatch([], 'none', { baseOffset: 7 })
    batch.writeInt32BE(4, 23)
    batch.writeUInt32BE(crc32c(batch.subarray(21)), 17)
    const { batches } = await decode(batch)
    expect([...(batches[0]?.records ?? [1])]).toEqual([])
    expect(batches).toMatchObject([{ lastOffset: 11 }])
  })

  it('cut off by the end of the response is left to the next fetch', async () => {
    const whole = encodeRecordBatch(THREE, 'none')
    const next = encodeRecordBatch(THREE, 'none', { baseOffset: 3 })
    for (const bytes of [5, 12, next.length - 1]) {
      const { batches, failure } = await decode(whole, next.subarray(0, bytes))
      expect(failure).toBeNull()
      expect(batches).toHaveLength(1)
    }
  })
})

describe('a damaged record batch', () => {
  it.each(CODECS)('is refused whichever byte under its checksum is altered (%s)', async (codec) => {
    const batch = encodeRecordBatch(THREE, codec, { baseOffset: 40 })
    for (let at = 17; at < batch.length; at++) {
      const { batches, failure } = await decode(flipped(batch, at))
      expect(batches).toEqual([])
      expect(failure).toEqual({ offset: 40, reason: 'is damaged: its CRC-32C is wrong' })
    }
  })

  it('ends the set: what stands before it is read, nothing behind it', async () => {
    const [a, b, c] = [0, 3, 6].map((baseOffset) =>
      encodeRecordBatch(THREE, 'none', { baseOffset }),
    ) as [Buffer, Buffer, Buffer]
    const { batches, failure } = await decode(a, flipped(b, b.length - 1), c)
    expect(batches.map(({ firstOffset }) => firstOffset)).toEqual([0])
    expect(failure).toMatchObject({ offset: 3 })
  })

  it('is refused by its length and by its offset, which no checksum covers', async () => {
    const batch = encodeRecordBatch(THREE, 'none', { baseOffset: 3 })
    const first = encodeRecordBatch(THREE, 'none')
    for (const at of [8, 9, 10, 11])
      expect((await decode(flipped(batch, at))).failure).not.toBeNull()
    expect((await decode(first, first)).failure?.reason).toMatch(/offset is wrong/)
    expect((await decode(flipped(batch, 0))).failure?.reason).toMatch(/beyond 2\^53/)
  })

  it('is refused where its records do not add up, though its checksum does', async () => {
    const batch = encodeRecordBatch(THREE, 'none')
    for (const at of [60, 61, 62 + 20]) {
      const { batches, failure } = await decode(flipped(batch, at, true))
      expect(batches).toEqual([])
      expect(failure?.reason).toMatch(/^is damaged: /)
    }
  })

  it('of an older message format is refused by its name', async () => {
    const old = Buffer.alloc(40)
    old.writeInt32BE(28, 8)
    old[16] = 1
    expect((await decode(old)).failure?.reason).toBe('has the message format 1; only 2 is read')
  })
})

describe('decompressing', () => {
  const BOMB = Buffer.alloc(RECORD_BATCH_BYTES_MAX + 1)
  const frame = (block: Buffer) =>
    Buffer.concat([
      Buffer.from('82534e41505059000000000100000001', 'hex'),
      int32(block.length),
      block,
    ])

  it.each([
    ['gzip', 1, () => gzipSync(BOMB)],
    ['snappy', 2, () => compressSync(BOMB)],
    ['snappy of Java', 2, () => frame(compressSync(BOMB))],
    ['lz4', 3, () => compressFrameSync(BOMB)],
    ['zstd', 4, () => zstdCompressSync(BOMB)],
  ])('stops before a bomb is more than its bound (%s)', async (_name, codec, bomb) => {
    const bytes = bomb()
    const before = process.memoryUsage()
    await expect(decompress(codec, bytes)).rejects.toThrow(/holds more than 128 MiB/)
    const after = process.memoryUsage()
    expect(after.external - before.external).toBeLessThan(RECORD_BATCH_BYTES_MAX * 1.1)
  })

  it.each([1, 2, 3, 4])('of codec %s refuses what is no such stream', async (codec) => {
    for (const bytes of [
      '',
      'no such stream',
      '\u0002',
      frame(Buffer.from('xx')).toString('latin1'),
    ]) {
      const tried = decompress(codec, Buffer.from(bytes, 'latin1'))
      await expect(tried).rejects.toThrow('cannot be decompressed')
    }
  })

  it('of an unknown codec says which are read', async () => {
    await expect(decompress(5, Buffer.alloc(1))).rejects.toThrow(
      'is compressed by codec 5; gzip, snappy, lz4 and zstd are read',
    )
  })
})
