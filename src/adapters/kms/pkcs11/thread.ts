import { Worker } from 'node:worker_threads'
import { fromPlainError, messageOf, type SealError } from '../../../errors.ts'
import type {
  FromPkcs11Thread,
  Pkcs11Answers,
  Pkcs11Call,
  Pkcs11Options,
  Pkcs11ThreadData,
  ToPkcs11Thread,
} from './calls.ts'
import { ExitGate } from './exit-gate.ts'
import { unavailable } from './failure.ts'

/**
 * The threads of this process by module, since the state of a module is that of the whole process.
 * They stay: a module is not asked to start again and again, nor to take a PIN that it refused.
 */
const threads = new Map<string, Pkcs11Thread>()

interface Waiting {
  readonly resolve: (value: Pkcs11Answers[keyof Pkcs11Answers]) => void
  readonly reject: (error: SealError) => void
}

/**
 * A place of one user in the thread that holds a module. Calls to a module block, so they are made
 * there; those of all seats follow one another.
 */
export class Pkcs11Seat {
  readonly #thread: Pkcs11Thread
  readonly #seat: number

  /** Joins the thread of the module, which begins with its first seat. */
  constructor(options: Pkcs11Options) {
    this.#thread = threadOf(options.module)
    this.#seat = this.#thread.seat(options)
  }

  /** Whether the thread has ended, and the seat with it. */
  get isGone(): boolean {
    return this.#thread.hasEnded
  }

  /** Throws what the token throws, and SEAL_KMS_UNAVAILABLE when the thread ends. */
  async ask<C extends Pkcs11Call>(call: C): Promise<Pkcs11Answers[C['name']]> {
    const answer = await this.#thread.ask(this.#seat, call)
    return answer as Pkcs11Answers[C['name']]
  }

  /** Ends the session of the seat, once the calls before it are answered. */
  leave(): void {
    this.#thread.leave(this.#seat)
  }
}

class Pkcs11Thread {
  readonly #module: string
  readonly #worker: Worker
  readonly #waiting = new Map<number, Waiting>()
  readonly #gate = new ExitGate()
  readonly #onExit = () => this.#gate.shut()
  #last = 0
  hasEnded = false

  constructor(module: string) {
    this.#module = module
    const workerData: Pkcs11ThreadData = { module, gate: this.#gate.memory }
    this.#worker = new Worker(workerUrl(), { name: 'pkcs11', workerData })
    this.#worker.on('message', (answer: FromPkcs11Thread) => this.#settle(answer))
    this.#worker.on('error', (error) => this.#end(messageOf(error)))
    this.#worker.on('exit', () => this.#end('it was ended'))
    // A process that waits for no answer may end.
    this.#worker.unref()
    process.on('exit', this.#onExit)
  }

  seat(options: Pkcs11Options): number {
    const seat = ++this.#last
    const { module, tokenLabel, pin, pinFile } = options
    this.#tell({ kind: 'take', seat, options: { module, tokenLabel, pin, pinFile } })
    return seat
  }

  ask(seat: number, call: Pkcs11Call): Promise<Pkcs11Answers[keyof Pkcs11Answers]> {
    return new Promise((resolve, reject) => {
      const id = ++this.#last
      this.#waiting.set(id, { resolve, reject })
      this.#worker.ref()
      this.#tell({ kind: 'call', seat, id, call })
    })
  }

  leave(seat: number): void {
    this.#tell({ kind: 'leave', seat })
  }

  #tell(message: ToPkcs11Thread): void {
    this.#worker.postMessage(message)
  }

  #settle(answer: FromPkcs11Thread): void {
    const waiting = this.#waiting.get(answer.id)
    this.#waiting.delete(answer.id)
    if (this.#waiting.size === 0) this.#worker.unref()
    if (answer.ok) waiting?.resolve(answer.value)
    else waiting?.reject(fromPlainError(answer.error))
  }

  #end(reason: string): void {
    if (this.hasEnded) return
    this.hasEnded = true
    process.off('exit', this.#onExit)
    if (threads.get(this.#module) === this) threads.delete(this.#module)
    const error = unavailable(`the thread of the module ${this.#module} ended (${reason})`)
    for (const { reject } of this.#waiting.values()) reject(error)
    this.#waiting.clear()
  }
}

function threadOf(module: string): Pkcs11Thread {
  const running = threads.get(module)
  if (running !== undefined) return running
  const thread = new Pkcs11Thread(module)
  threads.set(module, thread)
  return thread
}

/** The worker beside this file, in TypeScript when run from source and in JavaScript when built. */
function workerUrl(): URL {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
  return new URL(`../../../../workers/pkcs11.${extension}`, import.meta.url)
}
