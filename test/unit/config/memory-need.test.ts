import { availableParallelism } from 'node:os'
import { describe, expect, it } from 'vitest'
import { rssBytesMaxOf } from '../../../src/config/memory-need.ts'
import { parseTree, refusalOf } from './sample.ts'

const MIB = 1024 * 1024
const THREADS = { 'workers.threads': 2 }
const ceilingOf = (changes: Record<string, unknown>) =>
  rssBytesMaxOf(parseTree({ ...THREADS, ...changes }).config)

describe('the ceiling of memory', () => {
  it('is what the other sizes add up to, unless it is given', () => {
    const needed = ceilingOf({})
    expect(needed).toBeGreaterThan(512 * MIB)
    expect(needed).toBeLessThan(1024 * MIB)
    expect(ceilingOf({ 'memory.rssBytesMax': '2GiB' })).toBe(2048 * MIB)
  })

  it.each([
    [{ 'memory.inFlightBytesMax': '256MiB' }, 128 * MIB],
    [{ 'kafka.fetchBytesMax': '32MiB' }, 16 * MIB],
    [{ 'workers.threads': 4 }, 2 * 64 * MIB],
    [{ 'workers.tasksPerThread': 4 }, 4 * 8 * MIB],
    [{ 'memory.deksMax': 100_000 }, 90_000 * 1024],
  ])('is higher by enough with %j', (changes, leastBytes) => {
    expect(ceilingOf(changes) - ceilingOf({})).toBeGreaterThanOrEqual(leastBytes)
  })

  it('covers every segment that may be open under domains by header', () => {
    const byHeader = { 'keyDomain.by': 'header', 'keyDomain.header': 'tenant' }
    const few = ceilingOf({ ...byHeader, 'keyDomain.openSegmentsMax': 2 })
    const many = ceilingOf({ ...byHeader, 'keyDomain.openSegmentsMax': 258, 'kafka.lanes': 4 })
    expect(many - few).toBe(256 * 4 * 64 * 1024)
  })

  it('counts a thread for each core where none are given', () => {
    const byCores = rssBytesMaxOf(parseTree({ 'workers.threads': 0 }).config)
    expect(byCores).toBe(ceilingOf({ 'workers.threads': availableParallelism() }))
  })

  it('is refused below what is needed, with the sum in words and the way out', () => {
    const refusal = refusalOf(() => parseTree({ ...THREADS, 'memory.rssBytesMax': '300MiB' }))
    expect(refusal).toMatch(/memory\.rssBytesMax: must be at least \d+MiB: \d+MiB for the process/)
    expect(refusal).toMatch(/96MiB for memory\.inFlightBytesMax, 64MiB for kafka\.fetchBytesMax/)
    expect(refusal).toContain('raise it, or lower one of these')
    const least = /at least (\d+MiB)/.exec(refusal)?.[1] as string
    expect(refusalOf(() => parseTree({ ...THREADS, 'memory.rssBytesMax': least }))).toBe('')
  })
})
