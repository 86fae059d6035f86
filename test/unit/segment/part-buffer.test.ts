import { describe, expect, it } from 'vitest'
import { readFrameHeader } from '../../../src/format/frame.ts'
import { parcelBytes, readParcel } from '../../../src/format/parcel.ts'
import { BufferPool } from '../../../src/segment/buffer-pool.ts'
import { frameBytesOf, PartBuffer } from '../../../src/segment/part-buffer.ts'
import { comparable, message } from '../../support/messages.ts'

const KIB = 1024

function append(part: PartBuffer, valueBytes: number, seq: number): number {
  const large = message({ offset: seq, value: Buffer.alloc(valueBytes, seq) })
  return part.append(large, frameBytesOf(parcelBytes(large)), seq, 3)
}

describe('a part buffer', () => {
  it('holds every message at the place it gave, through all its growing', () => {
    const part = new PartBuffer(Buffer.from('head'), 512 * KIB, new BufferPool(0))
    const sizes = [0, 10, 60 * KIB, 1, 200 * KIB, 7]
    const places = sizes.map((size, seq) => append(part, size, seq))
    const { buffer, size, framesAt, frameCount } = part.take()
    const bytes = Buffer.from(buffer, 0, size)
    expect(bytes.toString('latin1', 0, 4)).toBe('head')
    expect([framesAt, frameCount, places[0]]).toEqual([4, sizes.length, 4])
    places.forEach((at, seq) => {
      const header = readFrameHeader(bytes, at)
      expect(header).toMatchObject({ seq, offset: seq, source: 3 })
      expect(at + header.frameBytes).toBe(places[seq + 1] ?? size)
      const parcel = bytes.subarray(at + 20, at + header.frameBytes - 16)
      const value = Buffer.alloc(sizes[seq] as number, seq)
      expect(comparable(readParcel(parcel))).toEqual(comparable(message({ value })))
    })
  })

  it('begins small, or as large as the full one before, and ends growing at once when it is large', () => {
    const capacityAfter = (isBehindFull: boolean, ...sizes: number[]) => {
      const part = new PartBuffer(new Uint8Array(0), 8_192 * KIB, new BufferPool(0), isBehindFull)
      for (const size of sizes) append(part, size, part.frameCount)
      return part.take().buffer.byteLength / KIB
    }
    expect(capacityAfter(false, 1)).toBe(16)
    expect(capacityAfter(false, 900 * KIB)).toBe(1_024)
    expect(capacityAfter(false, 900 * KIB, 200 * KIB)).toBe(8_192)
    expect(capacityAfter(true, 1)).toBe(8_192)
  })

  it('doubles up to its bound, beyond it only as far as needed', () => {
    const capacityAfter = (...sizes: number[]) => {
      const part = new PartBuffer(new Uint8Array(0), 100 * KIB, new BufferPool(0))
      for (const size of sizes) append(part, size, part.frameCount)
      return part.take().buffer.byteLength
    }
    expect(capacityAfter(1)).toBe(16 * KIB)
    expect(capacityAfter(40 * KIB, 40 * KIB)).toBe(100 * KIB)
    expect(capacityAfter(300 * KIB)).toBe(frameBytesOf(300 * KIB + 20 + 3))
  })
})
