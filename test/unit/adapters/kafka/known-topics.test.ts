import { beforeEach, describe, expect, it } from 'vitest'
import type { Cluster, ProtocolCall } from '../../../../src/adapters/kafka/kafka-cluster.ts'
import { KnownTopics } from '../../../../src/adapters/kafka/known-topics.ts'
import type { Metadata } from '../../../../src/adapters/kafka/topic-ids.ts'

const MISSING = 3
const UNAUTHORISED = 29
const METADATA_KEY = 3

interface FakeBroker {
  /** Ids of topics by name; a number is an error code. */
  topics: Record<string, string | number | null>
  /** The newest version of the request that it knows. */
  version: number
  isAway: boolean
}

/** A cluster of brokers that hear of things at different times. */
class FakeCluster {
  readonly brokers = new Map<string, FakeBroker>()
  /** Those that the client has heard of. */
  known: string[] = []
  /** Those of which the cluster itself knows that they are gone. */
  readonly gone = new Set<string>()
  asks = 0
  /** Brokers that were looked for, in their order. */
  readonly found: string[] = []

  add(nodeId: string, topics: FakeBroker['topics'], version = 12): FakeBroker {
    const broker = { topics, version, isAway: false }
    this.brokers.set(nodeId, broker)
    return broker
  }

  async connect(): Promise<void> {}

  async disconnect(): Promise<void> {}

  async addMultipleTargetTopics(): Promise<void> {
    if (this.known.length === 0) await this.refreshMetadata()
  }

  async refreshMetadata(): Promise<void> {
    this.known = [...this.brokers.keys()].filter((nodeId) => !this.gone.has(nodeId))
  }

  getNodeIds(): readonly string[] {
    return this.known
  }

  async findBroker({ nodeId }: { nodeId: string }) {
    const broker = this.brokers.get(nodeId) as FakeBroker
    this.found.push(nodeId)
    if (broker.isAway) throw new Error('connection refused')
    return {
      versions: { [METADATA_KEY]: { maxVersion: broker.version } },
      connectionPool: { send: (call: ProtocolCall<Metadata>) => this.#answer(broker, call) },
    }
  }

  async #answer({ topics }: FakeBroker, { request }: ProtocolCall<Metadata>): Promise<Metadata> {
    this.asks++
    const asked = (await request.encode()).buffer.toString()
    return {
      nodeIds: [...this.brokers.keys()].filter((id) => !this.gone.has(id)).map(Number),
      topics: Object.entries(topics)
        .filter(([topic]) => asked.includes(topic))
        .map(([topic, told]) =>
          typeof told === 'number'
            ? { topic, errorCode: told, id: null }
            : { topic, errorCode: 0, id: told },
        ),
    }
  }
}

let cluster: FakeCluster
let known: KnownTopics

beforeEach(() => {
  cluster = new FakeCluster()
  known = new KnownTopics(cluster as unknown as Cluster, ['broker:9092'])
})

const recreated = async (...topics: string[]) => [...(await known.recreated(topics))]

describe('known topics', () => {
  it('are told apart from those that were created again, for good', async () => {
    const broker = cluster.add('1', { orders: 'a', payments: 'b' })
    expect(await recreated('orders', 'payments', 'orders')).toEqual([])
    broker.topics.orders = 'c'
    expect(await recreated('orders', 'payments', 'orders')).toEqual(['orders'])
    broker.topics.payments = 'd'
    expect(await recreated('orders')).toEqual(['orders'])
    expect(await recreated('payments')).toEqual(['payments'])
  })

  it('are others as soon as one broker says so', async () => {
    cluster.add('1', { orders: 'a' })
    const second = cluster.add('2', { orders: 'a' })
    cluster.add('3', { orders: 'a' })
    expect(await recreated('orders')).toEqual([])
    second.topics.orders = 'b'
    expect(await recreated('orders')).toEqual(['orders'])
  })

  it('are asked of brokers too that the client has not heard of yet', async () => {
    cluster.add('1', { orders: 'a' })
    expect(await recreated('orders')).toEqual([])
    cluster.add('2', { orders: 'b' })
    expect(await recreated('orders')).toEqual(['orders'])
  })

  it('are the same although brokers are away, or have not heard of them', async () => {
    cluster.add('1', { orders: MISSING })
    cluster.add('2', { orders: 'a' }).isAway = true
    cluster.add('3', { orders: 'a' })
    expect(await recreated('orders')).toEqual([])
    expect(await recreated('orders')).toEqual([])
  })

  it('are not asked of a broker any more once the cluster has dropped it', async () => {
    cluster.add('1', { orders: 'a' })
    cluster.add('2', { orders: 'a' })
    await known.recreated(['orders'])
    ;(cluster.brokers.get('2') as FakeBroker).isAway = true
    cluster.gone.add('2')
    await known.recreated(['orders'])
    expect(cluster.known).toEqual(['1'])
    cluster.found.length = 0
    await known.recreated(['orders'])
    expect(cluster.found).not.toContain('2')
  })

  it.each([
    ['know no such request', 9, 'a'],
    ['give no ids', 12, null],
  ])('are never doubted where brokers %s', async (_, version, id) => {
    const broker = cluster.add('1', { orders: id }, version)
    expect(await recreated('orders')).toEqual([])
    broker.topics.orders = id === null ? null : 'b'
    expect(await recreated('orders')).toEqual([])
    expect(cluster.asks).toBe(version < 10 ? 0 : 2)
  })

  it('that are missing for a moment are waited for', async () => {
    const broker = cluster.add('1', { orders: 'a' })
    await known.recreated(['orders'])
    broker.topics.orders = MISSING
    setTimeout(() => {
      broker.topics.orders = 'b'
    }, 100)
    expect(await recreated('orders')).toEqual(['orders'])
  })

  it('cannot be told when no broker answers, which passes', async () => {
    for (const nodeId of ['1', '2']) cluster.add(nodeId, { orders: 'a' }).isAway = true
    await expect(known.recreated(['orders'])).rejects.toMatchObject({
      ...{ code: 'SEAL_KAFKA_UNAVAILABLE', retryable: true },
      message: expect.stringContaining('broker:9092'),
    })
  })

  it('cannot be told without the right to see them, which does not pass', async () => {
    cluster.add('1', { orders: UNAUTHORISED })
    await expect(known.recreated(['orders'])).rejects.toMatchObject({
      code: 'SEAL_KAFKA_REFUSED',
    })
  })
})
