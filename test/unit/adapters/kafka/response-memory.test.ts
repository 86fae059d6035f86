import { describe, expect, it } from 'vitest'
import { ResponseMemory } from '../../../../src/adapters/kafka/response-memory.ts'

const MIB = 1024 * 1024

/** Two sets of records in one response. */
function held(memory: ResponseMemory, bytes: number): { response: Buffer; sets: Buffer[] } {
  const response = memory.take(bytes)
  const sets = [response.subarray(4, bytes / 2), response.subarray(bytes / 2)]
  for (const set of sets) memory.hold(set)
  return { response, sets }
}

describe('the memory of responses', () => {
  it('is used again once the last set of records is let go, by a response of about its size', () => {
    const memory = new ResponseMemory()
    const { response, sets } = held(memory, 4 * MIB)
    response.fill('a')
    for (const set of sets) memory.letGo(set)
    const next = memory.take(3 * MIB + 17)
    expect(next.length).toBe(3 * MIB + 17)
    expect(next.toString('latin1', 0, 2)).toBe('aa')
    expect(memory.take(3 * MIB).toString('latin1', 0, 2)).not.toBe('aa')
  })

  it('stays as it is while one set is held', () => {
    const memory = new ResponseMemory()
    const { response, sets } = held(memory, 4 * MIB)
    response.fill('a')
    memory.letGo(sets[0] as Buffer)
    memory.take(4 * MIB).fill('b')
    expect(sets[1]?.length).toBe(2 * MIB)
    expect((sets[1] as Buffer).every((byte) => byte === 0x61)).toBe(true)
  })

  it('is gone for whoever still reads it', () => {
    const memory = new ResponseMemory()
    const { response, sets } = held(memory, 4 * MIB)
    const value = response.subarray(10, 20)
    for (const set of sets) memory.letGo(set)
    memory.take(4 * MIB).fill('b')
    expect(() => Buffer.alloc(10).set(value)).toThrow(TypeError)
    expect(() => response.subarray(10, 20)).toThrow(TypeError)
  })

  it('is not kept of small responses, nor for much smaller ones', () => {
    const memory = new ResponseMemory()
    for (const bytes of [1_000, 4 * MIB]) {
      const { response, sets } = held(memory, bytes)
      response.fill('a')
      for (const set of sets) memory.letGo(set)
    }
    expect(memory.take(1_000).toString('latin1', 0, 2)).not.toBe('aa')
    expect(memory.take(MIB).toString('latin1', 0, 2)).not.toBe('aa')
    expect(memory.take(4 * MIB).toString('latin1', 0, 2)).toBe('aa')
  })

  it('is kept of the last two responses', () => {
    const memory = new ResponseMemory()
    const taken = [2, 6, 4].map((mib) => held(memory, mib * MIB))
    taken.forEach(({ response }, i) => void response.fill('abc'[i] as string))
    for (const { sets } of taken) for (const set of sets) memory.letGo(set)
    const marks = [6, 4, 2].map((mib) => memory.take(mib * MIB).toString('latin1', 0, 1))
    expect(marks).toEqual(['b', 'c', expect.not.stringMatching(/[abc]/)])
  })

  it('does not care about what it never held', () => {
    const memory = new ResponseMemory()
    const mine = Buffer.alloc(4 * MIB, 'm')
    memory.letGo(mine)
    expect(mine.length).toBe(4 * MIB)
  })
})
