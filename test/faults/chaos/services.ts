import { renameSync } from 'node:fs'
import { join } from 'node:path'
import { cassandraPart } from '../../../docker/stack/cassandra-part.ts'
import { kafkaPart } from '../../../docker/stack/kafka-part.ts'
import { kmsPart } from '../../../docker/stack/kms-part.ts'
import { nativeRunner } from '../../../docker/stack/native-runner.ts'
import type { Part, PartContext } from '../../../docker/stack/part.ts'
import { waitUntilReady } from '../../../docker/stack/readiness.ts'
import { s3Part } from '../../../docker/stack/s3-part.ts'
import { type StackEndpoints, startStack, stopStack } from '../../../docker/stack/stack.ts'
import type { PartName } from '../../../docker/stack/stack-model.ts'
import { readStackRecord } from '../../../docker/stack/stack-record.ts'
import { systemClock } from '../../../src/clock.ts'
import { TcpProxy } from '../../support/tcp-proxy.ts'

const PARTS: Readonly<Record<PartName, Part>> = {
  kafka: kafkaPart,
  cassandra: cassandraPart,
  s3: s3Part,
  kms: kmsPart,
}
const POLL_MS = 50
const LAUNCHES_MAX = 3
const RESTORE_TRIES_MAX = 60
const RESTORE_AGAIN_MS = 1_000

/**
 * A stack of one's own whose parts are killed, stopped and cut off one by one. The KMS stands behind
 * a proxy: the emulator forgets its keys when it ends, and in the moment between its start and the
 * return of the KEK it would answer that there is no such key, which no real KMS does.
 */
export class Services {
  readonly endpoints: StackEndpoints
  readonly #context: PartContext
  readonly #kmsProxy: TcpProxy
  readonly #revived = new Map<PartName, number>()
  readonly #stopped = new Set<PartName>()

  private constructor(endpoints: StackEndpoints, context: PartContext, kmsProxy: TcpProxy) {
    this.endpoints = endpoints
    this.#context = context
    this.#kmsProxy = kmsProxy
  }

  /** Starts all of them in a folder. Throws a StackError. */
  static async start(directory: string): Promise<Services> {
    const stack = await startStack({ directory, ports: 'free' })
    const record = readStackRecord(directory)
    if (record?.runner !== 'native') throw new Error('processes are killed here, not containers')
    const proxy = await TcpProxy.before(new URL(stack.kms.endpoint).host)
    const kms = { ...stack.kms, endpoint: `http://${proxy.address}` }
    return new Services({ ...stack, kms }, { directory, ports: record.ports }, proxy)
  }

  /** SIGKILL. Resolves when the process is gone. */
  async kill(name: PartName): Promise<void> {
    if (name === 'kms') await this.#kmsProxy.cut()
    await this.#signal(name, 'SIGKILL')
    this.#stopped.delete(name)
    while (await this.#pid(name)) await systemClock.sleep(POLL_MS)
  }

  /** Starts what was killed, on its old port. Resolves when it serves requests. */
  async revive(name: PartName): Promise<void> {
    const { directory } = this.#context
    const life = (this.#revived.get(name) ?? 0) + 1
    this.#revived.set(name, life)
    renameSync(
      join(directory, 'logs', `${name}.log`),
      join(directory, 'logs', `${name}.${life}.log`),
    )
    await this.#launch(name, LAUNCHES_MAX)
    if (name === 'kms') await this.restoreKms()
  }

  /** SIGSTOP: connections stay, nothing answers. */
  async stop(name: PartName): Promise<void> {
    await this.#signal(name, 'SIGSTOP')
    this.#stopped.add(name)
  }

  /** SIGCONT. */
  async resume(name: PartName): Promise<void> {
    await this.#signal(name, 'SIGCONT')
    this.#stopped.delete(name)
  }

  /** Resets every connection to the KMS and refuses new ones. */
  async cutKms(): Promise<void> {
    await this.#kmsProxy.cut()
  }

  /** Lets connections to the KMS through again. */
  async restoreKms(): Promise<void> {
    for (let triesLeft = RESTORE_TRIES_MAX; ; triesLeft--) {
      try {
        await this.#kmsProxy.restore()
        return
      } catch (error) {
        // Somebody's outgoing connection may have got the port meanwhile.
        if (triesLeft === 0) throw error
        await systemClock.sleep(RESTORE_AGAIN_MS)
      }
    }
  }

  /** Ends everything; data stays. */
  async close(): Promise<void> {
    for (const name of this.#stopped) await this.resume(name)
    await this.#kmsProxy.cut()
    await stopStack(this.#context.directory)
  }

  /** A port or a lock of the one before may not be free at once. */
  async #launch(name: PartName, launchesMax: number): Promise<void> {
    if ((await this.#pid(name)) === null) await nativeRunner.launch(PARTS[name], this.#context)
    try {
      const never = new AbortController().signal
      await waitUntilReady(PARTS[name], this.#context, nativeRunner, never)
    } catch (error) {
      if (launchesMax <= 1) throw error
      await this.#launch(name, launchesMax - 1)
    }
  }

  async #signal(name: PartName, signal: NodeJS.Signals): Promise<void> {
    const pid = await this.#pid(name)
    // A part is the leader of its own process group.
    if (pid !== null) process.kill(-pid, signal)
  }

  async #pid(name: PartName): Promise<number | null> {
    return (await nativeRunner.running(PARTS[name], this.#context))?.pid ?? null
  }
}
