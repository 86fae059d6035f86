import { expect, it } from 'vitest'
import { BufferPool } from '../../../src/segment/buffer-pool.ts'

const KIB = 1024

it('a pool hands out what it was given, by its size, and makes the rest', () => {
  const pool = new BufferPool(1_000 * KIB)
  const [small, large] = [pool.take(64 * KIB), pool.take(128 * KIB)]
  expect([small.byteLength, large.byteLength]).toEqual([64 * KIB, 128 * KIB])
  pool.give(small)
  pool.give(large)
  expect(pool.take(128 * KIB)).toBe(large)
  expect(pool.take(128 * KIB)).not.toBe(large)
  expect(pool.take(64 * KIB)).toBe(small)
})

it('a pool keeps no more than it may, and no sizes that hardly come again', () => {
  const pool = new BufferPool(192 * KIB)
  const buffers = [64, 128, 64].map((kib) => pool.take(kib * KIB))
  for (const buffer of buffers) pool.give(buffer)
  expect(pool.take(64 * KIB)).toBe(buffers[0])
  expect(pool.take(64 * KIB)).not.toBe(buffers[2])
  const odd = pool.take(100_001)
  pool.give(odd)
  expect(pool.take(100_001)).not.toBe(odd)
  const none = new BufferPool(0)
  none.give(buffers[2] as ArrayBuffer)
  expect(none.take(64 * KIB)).not.toBe(buffers[2])
})
