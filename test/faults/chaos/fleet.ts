import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../../../src/clock.ts'
import { Encryptor, type Ending } from './encryptor.ts'
import type { RunLog } from './run-log.ts'

const COUNT_EVERY_MS = 2_000
const RESTART_AFTER_MS = 1_000

/** A place for an encryptor, which an orchestrator would keep filled. */
interface Slot {
  readonly name: string
  encryptor: Encryptor
  starts: number
  /** Set when its end was asked for. */
  isAsked: boolean
  /** A guest is not started again. */
  readonly isGuest: boolean
  /** Resolves when it has ended for good. */
  over: Promise<void>
}

/** An encryptor that comes and goes. */
export interface Guest {
  /** Resolves when it is a member of the group, has ended, or has had its time. */
  joined(withinMs: number): Promise<void>
  leave(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>
}

/**
 * The encryptors of one group. Whatever ends is started again, as an orchestrator does; ends that
 * nobody asked for are told of and counted by their reason.
 */
export class Fleet {
  readonly #folder: string
  readonly #configPath: string
  readonly #log: RunLog
  readonly #slots: Slot[] = []
  readonly #guests: Slot[] = []
  readonly #ended: Encryptor[] = []
  readonly #ownEnds = new Map<string, number>()
  readonly #politeEnds = new Map<string, number>()
  readonly #closing = new AbortController()
  #starts = 0

  constructor(folder: string, configPath: string, count: number, log: RunLog) {
    this.#folder = folder
    this.#configPath = configPath
    this.#log = log
    for (let i = 1; i <= count; i++) this.#slots.push(this.#fill(`encryptor-${i}`, false))
    void this.#keepCounts()
  }

  get size(): number {
    return this.#slots.length
  }

  /** SIGKILL; a new one is started a little later. */
  async kill(index: number): Promise<void> {
    const { encryptor } = this.#expectEnd(index)
    encryptor.kill('SIGKILL')
    await encryptor.ended
  }

  /** SIGTERM; resolves with how it ended. A new one is started a little later. */
  async terminate(index: number): Promise<Ending> {
    const { encryptor } = this.#expectEnd(index)
    encryptor.kill('SIGTERM')
    return this.#politeEnd(encryptor)
  }

  /** SIGSTOP. */
  stop(index: number): void {
    this.#slots[index]?.encryptor.kill('SIGSTOP')
  }

  /** SIGCONT. */
  resume(index: number): void {
    this.#slots[index]?.encryptor.kill('SIGCONT')
  }

  /** A further member joins the group; it is not started again when it ends. */
  invite(): Guest {
    const guest = this.#fill(`guest-${this.#guests.length + 1}`, true)
    this.#guests.push(guest)
    return {
      joined: (withinMs) => guest.encryptor.joined(withinMs),
      leave: async (signal) => {
        guest.isAsked = true
        guest.encryptor.kill(signal)
        if (signal === 'SIGTERM') await this.#politeEnd(guest.encryptor)
        await guest.over
      },
    }
  }

  /** Asks all of them to end and waits for it. True when each ended well. */
  async close(): Promise<boolean> {
    this.#closing.abort()
    const endings = this.#slots.map((slot) => {
      slot.isAsked = true
      slot.encryptor.kill('SIGCONT')
      slot.encryptor.kill('SIGTERM')
      return this.#politeEnd(slot.encryptor)
    })
    return (await Promise.all(endings)).every(({ code }) => code === 0)
  }

  /** Ends all of them at once. */
  killAll(): void {
    this.#closing.abort()
    for (const slot of [...this.#slots, ...this.#guests]) {
      slot.isAsked = true
      slot.encryptor.kill('SIGKILL')
    }
  }

  get starts(): number {
    return this.#starts
  }

  /** Ends that nobody asked for, by reason. */
  get ownEnds(): ReadonlyMap<string, number> {
    return this.#ownEnds
  }

  /** How those ended that were asked by SIGTERM. */
  get politeEnds(): ReadonlyMap<string, number> {
    return this.#politeEnds
  }

  /** What all encryptors counted, each as far as it was asked. */
  get counts(): { readonly transactions: number; readonly references: number } {
    const all = [...this.#ended, ...[...this.#slots, ...this.#guests].map((slot) => slot.encryptor)]
    return {
      transactions: all.reduce((sum, { counts }) => sum + counts.transactions, 0),
      references: all.reduce((sum, { counts }) => sum + counts.references, 0),
    }
  }

  /** Lines in all logs whose message matches. */
  logged(message: RegExp): number {
    return this.#logPaths()
      .flatMap((path) => readFileSync(path, 'utf8').split('\n'))
      .filter((line) => message.test(line)).length
  }

  #fill(name: string, isGuest: boolean): Slot {
    const slot: Slot = {
      ...{ name, isGuest, isAsked: false, starts: 0, over: Promise.resolve() },
      encryptor: this.#launch(name, 1),
    }
    slot.starts = 1
    slot.over = this.#watch(slot)
    return slot
  }

  #launch(name: string, start: number): Encryptor {
    this.#starts++
    return new Encryptor(this.#configPath, join(this.#folder, `${name}.${start}.log`))
  }

  async #watch(slot: Slot): Promise<void> {
    for (;;) {
      const ending = await slot.encryptor.ended
      if (!slot.isAsked) this.#tellOwnEnd(slot, ending)
      slot.isAsked = false
      if (slot.isGuest) return
      await systemClock.sleep(RESTART_AFTER_MS, this.#closing.signal)
      if (this.#closing.signal.aborted) return
      this.#ended.push(slot.encryptor)
      slot.encryptor = this.#launch(slot.name, ++slot.starts)
    }
  }

  #tellOwnEnd({ name, encryptor }: Slot, { code, signal }: Ending): void {
    const reason = /\[(SEAL_\w+)\]/.exec(encryptor.lastReason)?.[1] ?? `${signal ?? `code ${code}`}`
    this.#ownEnds.set(reason, (this.#ownEnds.get(reason) ?? 0) + 1)
    this.#log.note(`${name} ended by itself: ${reason}`)
  }

  #expectEnd(index: number): Slot {
    const slot = this.#slots[index] as Slot
    slot.isAsked = true
    return slot
  }

  async #politeEnd(encryptor: Encryptor): Promise<Ending> {
    const ending = await encryptor.ended
    const code = /\[(SEAL_\w+)\]/.exec(encryptor.lastReason)?.[1]
    const how = ending.code === 0 ? 'exit code 0' : (code ?? ending.signal ?? `code ${ending.code}`)
    this.#politeEnds.set(how, (this.#politeEnds.get(how) ?? 0) + 1)
    return ending
  }

  async #keepCounts(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      await Promise.all(this.#slots.map(({ encryptor }) => encryptor.count()))
      await systemClock.sleep(COUNT_EVERY_MS, this.#closing.signal)
    }
  }

  #logPaths(): string[] {
    const logs = readdirSync(this.#folder).filter((name) =>
      /^(encryptor|guest)-.*\.log$/.test(name),
    )
    return logs.map((name) => join(this.#folder, name))
  }
}
