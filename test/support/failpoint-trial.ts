import { execFileSync } from 'node:child_process'
import { expect } from 'vitest'
import { FAILPOINT_VARIABLE, type Failpoint, type FailpointAction } from '../../src/failpoints.ts'
import type { Message } from '../../src/format/message.ts'
import { EncryptorProcess } from './encryptor-process.ts'
import type { KafkaFixture } from './kafka-fixture.ts'
import { numberedRecords, oddRecords } from './records.ts'
import { expectSealedOnce } from './sealed-proof.ts'
import { SealingPlace } from './sealing-place.ts'

const KIBIBYTE = 1024
const PARTITIONS = 2
const SETTINGS = {
  ...{ 'kafka.lanes': PARTITIONS, 'workers.threads': 1, 'segment.ageMs': '100ms' },
  ...{ 'part.bytesMax': '5MiB', 'kafka.fetchWaitMs': '20ms' },
}
/** Steps that only a segment of several parts takes. */
const MULTIPART = /upload-open|part-upload|upload-complete/
/** A process that is given partitions waits for the session of one that is stopped. */
const WITHIN_MS = 120_000

/**
 * What happens at one failpoint, from the first message to the proof: an encryptor seals until it
 * dies, stops or fails there; another one takes over what is left, beside the first if that one
 * wakes up again; in the end everything must be sealed exactly once.
 */
export class FailpointTrial {
  readonly #kafka: KafkaFixture
  readonly #label: Failpoint
  readonly #place: SealingPlace
  readonly #messages: Message[] = []

  /** `keyspace` is shared by many trials, which saves the time of creating it. */
  constructor(kafka: KafkaFixture, label: Failpoint, keyspace: string) {
    this.#kafka = kafka
    this.#label = label
    this.#place = new SealingPlace('fp', 1, keyspace)
  }

  /** Goes through with it. Throws when the failpoint is not met, or something is not sealed once. */
  async run(action: FailpointAction): Promise<void> {
    await this.#kafka.createTopic(this.#place.topic, PARTITIONS)
    await this.#append()
    const config = this.#place.config(SETTINGS)
    const first = new EncryptorProcess(config, {
      [FAILPOINT_VARIABLE]: `${this.#label}:${action}`,
    })
    try {
      await this.#end(action, first, config)
      await expectSealedOnce(this.#kafka, this.#place, this.#place.topic, this.#messages)
    } finally {
      first.kill('SIGKILL')
      this.#place.remove()
    }
  }

  async #end(action: FailpointAction, first: EncryptorProcess, config: string): Promise<void> {
    if (action === 'throw') {
      await this.#sealed(first)
      if (this.#label.endsWith('published-mark')) return
      expect(JSON.stringify(first.logged(/./)), 'the failpoint').toContain(
        `failpoint ${this.#label}`,
      )
      return ended(first)
    }
    if (action === 'exit') expect((await first.ended).signal).toBe('SIGKILL')
    else await first.until('stopped', () => isStopped(first.pid), WITHIN_MS)
    const second = new EncryptorProcess(config)
    await this.#sealed(second)
    if (action === 'stop') {
      // It goes on where it was, with a lane that is another's by now.
      first.kill('SIGCONT')
      await this.#append()
      await this.#sealed(second)
      await ended(first)
      await this.#append()
      await this.#sealed(second)
    }
    await ended(second)
  }

  async #append(): Promise<void> {
    const { topic } = this.#place
    const few = [...numberedRecords(100, `trial ${this.#messages.length}`), ...oddRecords]
    const large = MULTIPART.test(this.#label) ? numberedRecords(24, 'large', 512 * KIBIBYTE) : []
    this.#messages.push(...(await this.#kafka.appendMany(topic, PARTITIONS, few, 59)))
    for (let at = 0; at < large.length; at += 12) {
      const to = { topic, partition: 0 }
      this.#messages.push(...(await this.#kafka.append(to, large.slice(at, at + 12))))
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

async function ended(encryptor: EncryptorProcess): Promise<void> {
  const { code, stderr } = await encryptor.stop()
  expect(code, stderr).toBe(0)
}

function isStopped(pid: number): boolean {
  return execFileSync('ps', ['-o', 'state=', '-p', String(pid)], { encoding: 'utf8' }).startsWith(
    'T',
  )
}
