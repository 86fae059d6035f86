import { setImmediate } from 'node:timers/promises'
import { beforeEach, describe, expect, it } from 'vitest'
import type { CqlStatement } from '../../../../src/adapters/cassandra/connection.ts'
import {
  GatheredWrites,
  type PartitionWrite,
} from '../../../../src/adapters/cassandra/gathered-writes.ts'
import { SealError } from '../../../../src/errors.ts'

const away = new SealError('SEAL_MAPPING_UNAVAILABLE', 'no node', { retryable: true })
const refused = new SealError('SEAL_MAPPING_REFUSED', 'no such table')

/** Queries of each request, and how to answer it. */
let requests: { readonly queries: string[]; readonly answer: (error?: unknown) => void }[]
let writes: GatheredWrites

const request = (statements: readonly CqlStatement[]) => {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const answer = (error?: unknown) => (error === undefined ? resolve() : reject(error))
  requests.push({ queries: statements.map(({ query }) => query), answer })
  return promise
}
const write = (query: string, partition: string): PartitionWrite => ({
  partition,
  statement: { query, params: [] },
})
/** Waits until everything that can be under way is. */
const turn = async () => {
  await setImmediate()
  await setImmediate()
}
const answerAll = async () => {
  for (let done = 0; done < requests.length; done++) {
    requests[done]?.answer()
    await turn()
  }
}

beforeEach(() => {
  requests = []
  writes = new GatheredWrites({
    batch: request,
    execute: async (query, params) => {
      await request([{ query, params }])
      return undefined as never
    },
  })
})

describe('small writes', () => {
  it('that are handed over in one turn go out in one request, each once and in order', async () => {
    const done = [writes.write([write('a', '1'), write('b', '2')]), writes.write([write('c', '1')])]
    await turn()
    expect(requests.map(({ queries }) => queries)).toEqual([['a', 'b', 'c']])
    await answerAll()
    await Promise.all(done)
  })

  it('are of few partitions and statements a request, as a node takes them without a warning', async () => {
    const many = Array.from({ length: 100 }, (_, i) => write(`${i}`, `${i % 20}`))
    const few = Array.from({ length: 100 }, (_, i) => write(`${100 + i}`, 'one'))
    const done = writes.write([...many, ...few])
    await turn()
    await answerAll()
    await done
    const sent = requests.map(({ queries }) => queries)
    expect(sent.flat()).toEqual([...many, ...few].map(({ statement }) => statement.query))
    expect(Math.max(...sent.map(({ length }) => length))).toBe(32)
    for (const queries of sent) {
      const partitions = new Set(queries.map((n) => (Number(n) < 100 ? Number(n) % 20 : 'one')))
      expect(partitions.size).toBeLessThanOrEqual(8)
    }
  })

  it('wait while four requests are under way, and go out together then', async () => {
    const done: Promise<void>[] = []
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f', 'g']) {
      done.push(writes.write([write(name, name)]))
      await turn()
    }
    expect(requests.map(({ queries }) => queries.join(''))).toEqual(['a', 'b', 'c', 'd'])
    requests[2]?.answer()
    await turn()
    expect(requests.at(-1)?.queries).toEqual(['e', 'f', 'g'])
    await answerAll()
    await Promise.all(done)
  })

  it('are answered when all that was handed over with them is durable', async () => {
    const many = Array.from({ length: 40 }, (_, i) => write(`${i}`, 'one'))
    let isDone = false
    const done = writes.write(many).then(() => {
      isDone = true
    })
    await turn()
    requests[0]?.answer()
    await turn()
    expect([requests.length, isDone]).toEqual([2, false])
    requests[1]?.answer()
    await done
  })

  it('fail together where the node is away, once none of them is under way', async () => {
    const many = Array.from({ length: 40 }, (_, i) => write(`${i}`, 'one'))
    const first = writes.write(many)
    const second = writes.write([write('last', 'one')])
    let isOver = false
    first.catch(() => {
      isOver = true
    })
    await turn()
    requests[0]?.answer(away)
    await turn()
    expect(isOver).toBe(false)
    requests[1]?.answer()
    await expect(first).rejects.toBe(away)
    await second
  })

  it('do not fail for what another is refused for', async () => {
    const good = writes.write([write('good', '1')])
    const bad = writes.write([write('bad', '2')])
    const alsoGood = writes.write([write('also good', '1')])
    const failing = expect(bad).rejects.toBe(refused)
    await turn()
    requests[0]?.answer(refused)
    await turn()
    expect(requests.slice(1).map(({ queries }) => queries)).toEqual([
      ['good'],
      ['bad'],
      ['also good'],
    ])
    for (const { queries, answer } of requests.slice(1)) {
      answer(queries[0] === 'bad' ? refused : undefined)
    }
    await Promise.all([good, failing, alsoGood])
  })

  it('cost nothing when there are none', async () => {
    await writes.write([])
    await turn()
    expect(requests).toEqual([])
  })
})
