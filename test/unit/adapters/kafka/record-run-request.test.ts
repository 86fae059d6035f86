import { describe, expect, it } from 'vitest'
import { decodeRecordSet } from '../../../../src/adapters/kafka/record-batch.ts'
import {
  type ProduceRequest,
  RunOfMessages,
  withRunRequests,
} from '../../../../src/adapters/kafka/record-run-request.ts'
import { runsOf } from '../../../support/record-runs.ts'

const original = (request: ProduceRequest) => ({
  apiKey: 0,
  apiVersion: 3,
  encode: async () => ({ buf: Buffer.from(request.topicData[0]?.topic ?? ''), buffer: NOTHING }),
})
const NOTHING = Buffer.alloc(0)

function requestOf(topicData: ProduceRequest['topicData']): ProduceRequest {
  return {
    ...{ acks: -1, timeout: 30_000, transactionalId: 'lane', producerId: '4000', producerEpoch: 3 },
    topicData,
  }
}

function runOf(partition: number, ...values: string[]): RunOfMessages {
  const [run] = runsOf(values.map((value) => Buffer.from(value)))
  if (run === undefined) throw new Error('no values')
  return new RunOfMessages(partition, run)
}

describe('a produce request of runs', () => {
  it('has a batch a partition, which its checksum and its reader find sound', async () => {
    const request = requestOf([
      {
        topic: 'orders.sealed',
        partitions: [
          { partition: 5, firstSequence: 17, messages: runOf(5, 'a', 'b', 'c') },
          { partition: 6, firstSequence: 0, messages: runOf(6, 'd') },
        ],
      },
    ])
    const { buffer } = await withRunRequests(original)(request).encode()
    let at = 0
    const int = (bytes: number) => {
      at += bytes
      return buffer.readIntBE(at - bytes, bytes)
    }
    const text = () => {
      const length = int(2)
      at += length
      return buffer.toString('utf8', at - length, at)
    }
    expect([text(), int(2), int(4), int(4), text(), int(4)]).toEqual([
      ...['lane', -1, 30_000, 1, 'orders.sealed', 2],
    ])
    for (const [partition, firstSequence, values] of [
      [5, 17, ['a', 'b', 'c']],
      [6, 0, ['d']],
    ] as const) {
      expect(int(4)).toBe(partition)
      expect(buffer.readInt32BE(at + 4 + 53)).toBe(firstSequence)
      const cursor = { buffer, offset: at }
      const { batches, failure } = await decodeRecordSet(cursor)
      at = cursor.offset
      expect(failure).toBeNull()
      expect(batches).toMatchObject([
        {
          producerId: 4_000n,
          isTransactional: true,
          isControl: false,
          lastOffset: values.length - 1,
        },
      ])
      const [batch] = batches
      expect(Array.from(batch?.records ?? [], ({ value }) => String(value))).toEqual([...values])
    }
    expect(at).toBe(buffer.length)
  })

  it('keeps what the library says of it, and leaves other requests to the library', async () => {
    const partition = { partition: 0, firstSequence: 0 }
    const runs = [{ topic: 't', partitions: [{ ...partition, messages: runOf(0, 'x') }] }]
    expect(withRunRequests(original)(requestOf(runs))).toMatchObject({ apiKey: 0, apiVersion: 3 })
    const plain = [{ topic: 'plain', partitions: [{ ...partition, messages: [{ value: null }] }] }]
    const { buf } = await withRunRequests(original)(requestOf(plain)).encode()
    expect(String(buf)).toBe('plain')
  })
})
