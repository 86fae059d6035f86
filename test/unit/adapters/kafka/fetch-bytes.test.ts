import { expect, it } from 'vitest'
import { fetchBytesOf } from '../../../../src/adapters/kafka/kafka-message-source.ts'

const KIB = 1024

it('what all brokers may send at a time is shared out, since the client asks them side by side', () => {
  expect(fetchBytesOf(9 * KIB * KIB, 1)).toBe(9 * KIB * KIB)
  expect(fetchBytesOf(9 * KIB * KIB, 3)).toBe(3 * KIB * KIB)
  expect(fetchBytesOf(100 * KIB, 3)).toBe(64 * KIB)
  expect(fetchBytesOf(100 * KIB, 0)).toBe(100 * KIB)
})
