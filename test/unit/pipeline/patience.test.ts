import { beforeEach, describe, expect, it } from 'vitest'
import { type ErrorCode, SealError } from '../../../src/errors.ts'
import type { PipelineObserver } from '../../../src/pipeline/observer.ts'
import { Patience } from '../../../src/pipeline/patience.ts'
import { ManualClock } from '../../support/manual-clock.ts'

let clock: ManualClock
let stop: AbortController
let events: unknown[][]
let patience: Patience

beforeEach(() => {
  clock = new ManualClock()
  stop = new AbortController()
  events = []
  const observer: Pick<PipelineObserver, 'waiting' | 'recovered'> = {
    waiting: (service, error, attempt, waitedMs) => {
      events.push(['waiting', service, error.code, attempt, waitedMs])
    },
    recovered: (service, waitedMs) => events.push(['recovered', service, waitedMs]),
  }
  patience = new Patience(clock, observer as PipelineObserver, stop.signal)
})

const passing = (code: ErrorCode) => new SealError(code, 'away', { retryable: true })

/** Fails `times` times, then gives 'done'. */
function failing(times: number, error: Error): () => Promise<string> {
  let left = times
  return async () => {
    if (left-- > 0) throw error
    return 'done'
  }
}

describe('patience', () => {
  it('tells the caller of each try that is made again', async () => {
    let troubles = 0
    const call = failing(2, passing('SEAL_KMS_UNAVAILABLE'))
    const done = patience.with(call, () => void troubles++)
    expect(await done).toBe('done')
    expect(troubles).toBe(2)
  })

  it('says nothing of a call that succeeds at once', async () => {
    expect(await patience.with(async () => 'done')).toBe('done')
    expect(events).toEqual([])
    expect(clock.slept).toEqual([])
  })

  it('tries again until the service is back, and tells of both', async () => {
    expect(await patience.with(failing(2, passing('SEAL_STORE_UNAVAILABLE')))).toBe('done')
    const [first = 0, second = 0] = clock.slept
    expect(events).toEqual([
      ['waiting', 's3', 'SEAL_STORE_UNAVAILABLE', 1, 0],
      ['waiting', 's3', 'SEAL_STORE_UNAVAILABLE', 2, expect.closeTo(first)],
      ['recovered', 's3', expect.closeTo(first + second)],
    ])
  })

  it.each([
    ['SEAL_STORE_UNAVAILABLE', 's3'],
    ['SEAL_MAPPING_UNAVAILABLE', 'cassandra'],
    ['SEAL_KMS_UNAVAILABLE', 'kms'],
    ['SEAL_KAFKA_UNAVAILABLE', 'kafka'],
  ] as const)('names the service of %s: %s', async (code, service) => {
    await patience.with(failing(1, passing(code)))
    expect(events.map(([, name]) => name)).toEqual([service, service])
  })

  it('tells of the end of one service before it tells of the next', async () => {
    const errors = [passing('SEAL_KMS_UNAVAILABLE'), passing('SEAL_STORE_UNAVAILABLE')]
    await patience.with(async () => {
      const error = errors.shift()
      if (error !== undefined) throw error
    })
    expect(events.map(([kind, service]) => [kind, service])).toEqual([
      ['waiting', 'kms'],
      ['recovered', 'kms'],
      ['waiting', 's3'],
      ['recovered', 's3'],
    ])
  })

  it('waits longer each time, up to five seconds', async () => {
    await patience.with(failing(12, passing('SEAL_STORE_UNAVAILABLE')))
    clock.slept.forEach((delayMs, i) => {
      const ceilingMs = Math.min(100 * 2 ** i, 5_000)
      expect(delayMs).toBeGreaterThanOrEqual(ceilingMs / 2)
      expect(delayMs).toBeLessThanOrEqual(ceilingMs)
    })
  })

  it('passes every other failure on at once', async () => {
    for (const error of [new SealError('SEAL_STORE_REFUSED', 'no'), new Error('bug')]) {
      await expect(patience.with(failing(1, error))).rejects.toBe(error)
    }
    expect(events).toEqual([])
    expect(clock.slept).toEqual([])
  })

  it('ends the waiting when what follows it is a failure for good', async () => {
    const errors = [passing('SEAL_STORE_UNAVAILABLE'), new SealError('SEAL_STORE_REFUSED', 'no')]
    const calling = patience.with(async () => {
      throw errors.shift()
    })
    await expect(calling).rejects.toMatchObject({ code: 'SEAL_STORE_REFUSED' })
    expect(events.map(([kind]) => kind)).toEqual(['waiting', 'recovered'])
  })

  it('gives up when the process stops while it waits', async () => {
    let calls = 0
    const waiting = patience.with(async () => {
      if (++calls === 2) stop.abort()
      throw passing('SEAL_STORE_UNAVAILABLE')
    })
    await expect(waiting).rejects.toMatchObject({ code: 'SEAL_STOPPED', retryable: false })
    expect(calls).toBe(2)
    expect(clock.slept).toHaveLength(1)
  })

  it('calls nothing when the process is stopping already', async () => {
    stop.abort()
    let calls = 0
    await expect(patience.with(async () => calls++)).rejects.toMatchObject({ code: 'SEAL_STOPPED' })
    expect(calls).toBe(0)
  })
})
