import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, inject } from 'vitest'
import type { StackEndpoints } from '../../docker/stack/stack.ts'
import { HttpFaultProxy } from './http-fault-proxy.ts'
import { KafkaFixture } from './kafka-fixture.ts'
import { SealingPlace } from './sealing-place.ts'
import { TcpProxy, type TcpProxyOptions } from './tcp-proxy.ts'

/** One for all tests with faults: what they write is told apart by topic, and making tables takes time. */
const KEYSPACE = 't_faults'

/** What a file of fault tests works with; all of it ends with the file. */
export class FaultBench {
  readonly #ends: (() => Promise<void> | void)[] = []
  #stack: () => StackEndpoints
  #kafka: KafkaFixture | null = null

  constructor(stack: () => StackEndpoints) {
    this.#stack = stack
  }

  get stack(): StackEndpoints {
    return this.#stack()
  }

  get kafka(): KafkaFixture {
    if (this.#kafka === null) throw new Error('only from the first test on')
    return this.#kafka
  }

  /** `host:port` of the broker. */
  get broker(): string {
    return this.stack.kafka.brokers[0] as string
  }

  /** `host:port` of the Cassandra node. */
  get node(): string {
    return this.stack.cassandra.contactPoints[0] as string
  }

  newPlace(name: string): SealingPlace {
    const place = new SealingPlace(name, 1, KEYSPACE, this.stack)
    this.atEnd(() => place.remove())
    return place
  }

  /** A proxy before the HTTP service at `url`. */
  async beforeHttp(url: string): Promise<HttpFaultProxy> {
    const proxy = await HttpFaultProxy.before(url)
    this.atEnd(() => proxy.close())
    return proxy
  }

  /** A proxy before the service at `target`, which is `host:port` or a URL. */
  async beforeTcp(target: string, options: TcpProxyOptions = {}): Promise<TcpProxy> {
    const proxy = await TcpProxy.before(URL.parse(target)?.host || target, options)
    this.atEnd(() => proxy.cut())
    return proxy
  }

  /** Writes a file into the folder of a place; returns its path. */
  fileOf(place: SealingPlace, name: string, content: string): string {
    const path = join(place.folder, name)
    writeFileSync(path, content)
    return path
  }

  /** Runs `end` after the last test of the file; the latest comes first. */
  atEnd(end: () => Promise<void> | void): void {
    this.#ends.unshift(end)
  }

  /** Connects anew, when the broker was away. */
  async connect(): Promise<void> {
    await this.#kafka?.close().catch(() => {})
    this.#kafka = await KafkaFixture.connect(this.stack.kafka.brokers)
  }

  async close(): Promise<void> {
    await this.#kafka?.close()
    for (const end of this.#ends) await end()
  }
}

/** Makes the bench of this file, over the services of the test run unless others are named. */
export function faultBench(stack: () => StackEndpoints = () => inject('stack')): FaultBench {
  const bench = new FaultBench(stack)
  beforeAll(() => bench.connect())
  afterAll(() => bench.close())
  return bench
}
