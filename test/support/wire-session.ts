/** One request of a framed protocol: what it asks for, in the words of the protocol, and its bytes. */
export interface SeenRequest {
  readonly kind: string
  readonly frame: Buffer
}

/**
 * What becomes of a request: it passes; it arrives and its answer is lost without a word; it arrives
 * and the connection is reset instead of the answer; it gets lost itself; or its answer is replaced.
 */
export type Fate = 'pass' | 'lose answer' | 'reset' | 'lose request' | ((answer: Buffer) => Buffer)

/** Decides about one request. Whatever it waits for, the connection waits for too. */
export type Judge = (request: SeenRequest) => Fate | Promise<Fate>

/** How to tell the frames of a protocol, and which answer belongs to which request. */
export interface WireProtocol {
  /** Length of the frame that `bytes` begins with; null where too few are there to tell. */
  frameBytes(bytes: Buffer): number | null
  request(frame: Buffer): { readonly id: number; readonly kind: string }
  answerId(frame: Buffer): number
  /** Where answers name addresses: changes them in place, so that clients come back to the proxy. */
  lead?(answer: Buffer, fromPort: number, toPort: number): void
}

/** One connection of a framed protocol, request by request and answer by answer. */
export class WireSession {
  readonly #protocol: WireProtocol
  readonly #servicePort: number
  readonly #proxyPort: number
  readonly #fates = new Map<number, Fate>()
  #asked: Buffer = Buffer.alloc(0)
  #answered: Buffer = Buffer.alloc(0)

  constructor(protocol: WireProtocol, servicePort: number, proxyPort: number) {
    this.#protocol = protocol
    this.#servicePort = servicePort
    this.#proxyPort = proxyPort
  }

  /** Takes bytes of requests; resolves to those that go on. */
  async ask(bytes: Buffer, judge: Judge): Promise<Buffer> {
    const [frames, rest] = this.#split(this.#asked, bytes)
    this.#asked = rest
    const passing: Buffer[] = []
    for (const frame of frames) {
      const { id, kind } = this.#protocol.request(frame)
      const fate = await judge({ kind, frame })
      if (fate === 'lose request') continue
      this.#fates.set(id, fate)
      passing.push(frame)
    }
    return Buffer.concat(passing)
  }

  /** Takes bytes of answers; resolves to those that go on. Throws where the connection is to end. */
  async answer(bytes: Buffer): Promise<Buffer> {
    const [frames, rest] = this.#split(this.#answered, bytes)
    this.#answered = rest
    const passing: Buffer[] = []
    for (const frame of frames) {
      const id = this.#protocol.answerId(frame)
      const fate = this.#fates.get(id) ?? 'pass'
      this.#fates.delete(id)
      if (fate === 'reset') throw new Error('the answer is lost with its connection')
      if (fate === 'lose answer') continue
      const answer = typeof fate === 'function' ? fate(frame) : frame
      this.#protocol.lead?.(answer, this.#servicePort, this.#proxyPort)
      passing.push(answer)
    }
    return Buffer.concat(passing)
  }

  #split(before: Buffer, bytes: Buffer): readonly [Buffer[], Buffer] {
    let rest = before.length === 0 ? bytes : Buffer.concat([before, bytes])
    const frames: Buffer[] = []
    for (;;) {
      const length = this.#protocol.frameBytes(rest)
      if (length === null || rest.length < length) return [frames, rest]
      frames.push(rest.subarray(0, length))
      rest = rest.subarray(length)
    }
  }
}
