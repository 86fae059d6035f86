import { execFileSync } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { FAILPOINT_VARIABLE, type Failpoint, type FailpointAction } from '../../src/failpoints.ts'
import type { Message } from '../../src/format/message.ts'
import { EncryptorProcess } from './encryptor-process.ts'
import type { KafkaFixture } from './kafka-fixture.ts'
import { numberedRecords, oddRecords } from './records.ts'
import { expectSealedOnce } from './sealed-proof.ts'
import { SealingPlace } from './sealing-place.ts'
import { expectVerified } from './verified.ts'

const KIBIBYTE = 1024
const PARTITIONS = 2
const SETTINGS = {
  ...{ 'kafka.lanes': PARTITIONS, 'workers.threads': 1, 'segment.ageMs': '100ms' },
  ...{ 'part.bytesMax': '5MiB', 'kafka.fetchWaitMs': '20ms' },
}
/** Most of the time goes into starts of processes; compiled code is kept for the next one. */
const COMPILED = { NODE_COMPILE_CACHE: join(tmpdir(), 'node-compile-cache') }
/** Steps that only a segment of several parts takes. */
const MULTIPART = /upload-open|part-upload|upload-complete/
/** Enough for a busy machine. */
const WITHIN_MS = 180_000
const POLL_MS = 100
const APPEND_EVERY_MS = 3_000

/**
 * A chain of encryptors of one group, one for each failpoint. Each finds what the one before it left
 * behind at its failpoint, goes on from there with fresh messages at hand, and meets its own:
 *
 *   exit   it is killed there; the next one takes over
 *   stop   it sleeps there until another encryptor, which lives through all of it, has taken over
 *          and sealed everything; then it wakes up, goes on where it was, and is asked to end
 *   throw  the step fails there once; it must get over that, and end when asked
 *
 * The last encryptor meets nothing. In the end every message must be sealed exactly once.
 */
export class FailpointChain {
  readonly #kafka: KafkaFixture
  readonly #action: FailpointAction
  readonly #place: SealingPlace
  readonly #config: string
  readonly #messages: Message[] = []
  readonly #running = new Set<EncryptorProcess>()

  constructor(kafka: KafkaFixture, action: FailpointAction) {
    this.#kafka = kafka
    this.#action = action
    this.#place = new SealingPlace(`fp-${action}`)
    this.#config = this.#place.config(SETTINGS)
  }

  /** Goes through these failpoints. Throws when one is not met, or a message is not sealed once. */
  async run(labels: readonly Failpoint[]): Promise<void> {
    await this.#kafka.createTopic(this.#place.topic, PARTITIONS)
    try {
      const other = this.#action === 'stop' ? this.#start() : null
      await other?.ready()
      for (const label of labels) {
        const encryptor = await this.#meet(label)
        if (other !== null) await this.#wake(encryptor, label, other)
      }
      const last = other ?? this.#start()
      await this.#append('the end')
      await this.#sealed(last)
      await this.#end(last)
      await this.#prove()
    } finally {
      for (const encryptor of this.#running) encryptor.kill('SIGKILL')
      this.#place.remove()
    }
  }

  /** Everything that is stored must agree, and every message be the one that was appended. */
  async #prove(): Promise<void> {
    const { messages } = await expectVerified(this.#place, { config: this.#config })
    expect(messages).toBe(this.#messages.length)
    await expectSealedOnce(this.#kafka, this.#place, this.#place.topic, this.#messages)
  }

  /** Starts an encryptor and resolves when it has come to its failpoint, and got over it if it can. */
  async #meet(label: Failpoint): Promise<EncryptorProcess> {
    await this.#append(label)
    const encryptor = this.#start(`${label}:${this.#action}`)
    const endMs = systemClock.elapsedMs() + WITHIN_MS
    let appendAtMs = systemClock.elapsedMs() + APPEND_EVERY_MS
    while (!this.#hasMet(encryptor, label)) {
      const nowMs = systemClock.elapsedMs()
      expect(nowMs, `${label} in time; ${encryptor.stderr}`).toBeLessThan(endMs)
      // The other one may have sealed what this one was to meet its failpoint with.
      if (nowMs > appendAtMs && this.#action === 'stop') {
        await this.#append(label)
        appendAtMs = nowMs + APPEND_EVERY_MS
      }
      await systemClock.sleep(POLL_MS)
    }
    if (this.#action === 'exit') expect((await encryptor.ended).signal).toBe('SIGKILL')
    if (this.#action !== 'throw') return encryptor
    await this.#sealed(encryptor)
    await this.#end(encryptor)
    return encryptor
  }

  #hasMet(encryptor: EncryptorProcess, label: Failpoint): boolean {
    if (this.#action === 'stop') return isStopped(encryptor.pid)
    if (this.#action === 'exit') return !encryptor.isRunning
    expect(encryptor.isRunning, encryptor.stderr).toBe(true)
    // The mark is best effort: nobody hears of one that fails.
    if (label.endsWith('published-mark')) return encryptor.logged(/^sealing$/).length > 0
    return encryptor.stderr.includes(`failpoint ${label}"`)
  }

  /** What the sleeper does from here on must come to nothing, or be right. */
  async #wake(sleeper: EncryptorProcess, label: string, other: EncryptorProcess): Promise<void> {
    await this.#sealed(other)
    sleeper.kill('SIGCONT')
    await this.#append(label)
    await this.#sealed(other)
    await this.#end(sleeper)
  }

  /** It may have lost its lanes while it was asked, and says so then. */
  async #end(encryptor: EncryptorProcess): Promise<void> {
    const { code, stderr } = await encryptor.stop()
    this.#running.delete(encryptor)
    if (this.#action === 'stop' && stderr.includes('[SEAL_STOPPED]')) return
    expect(code, stderr).toBe(0)
  }

  #start(failpoint?: string): EncryptorProcess {
    const armed = failpoint === undefined ? {} : { [FAILPOINT_VARIABLE]: failpoint }
    const encryptor = new EncryptorProcess(this.#config, { ...COMPILED, ...armed })
    this.#running.add(encryptor)
    return encryptor
  }

  async #append(label: string): Promise<void> {
    const { topic } = this.#place
    const few = [...numberedRecords(60, `${label} ${this.#messages.length}`), ...oddRecords]
    this.#messages.push(...(await this.#kafka.appendMany(topic, PARTITIONS, few, 39)))
    if (!MULTIPART.test(label)) return
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const large = numberedRecords(12, `${label} ${this.#messages.length}`, 512 * KIBIBYTE)
      this.#messages.push(...(await this.#kafka.append({ topic, partition }, large)))
    }
  }

  /** Resolves when `encryptor`, which lives on, sees everything sealed. */
  async #sealed(encryptor: EncryptorProcess): Promise<void> {
    const { topic, groupId } = this.#place
    const ends = await this.#kafka.ends(topic)
    const isDone = () => this.#kafka.hasReached(groupId, topic, ends)
    await encryptor.until('done', isDone, WITHIN_MS)
  }
}

function isStopped(pid: number): boolean {
  const state = execFileSync('ps', ['-o', 'state=', '-p', String(pid)], { encoding: 'utf8' })
  return state.startsWith('T')
}
