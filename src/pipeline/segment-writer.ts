import { footerTag } from '../crypto/footer-tag.ts'
import type { NewSegmentKeys } from '../crypto/segment-keys.ts'
import { fromPlainError } from '../errors.ts'
import type { Message } from '../format/message.ts'
import { FooterBuilder, joinFooter } from '../format/segment-footer.ts'
import { encodeMetadata } from '../format/segment-metadata.ts'
import { PART_BYTES_MIN } from '../limits.ts'
import type { SegmentKey } from '../mapping/mapping-store.ts'
import type { ObjectMetadata, PartReceipt } from '../segment/object-store.ts'
import { type FilledPart, PartBuffer } from '../segment/part-buffer.ts'
import type { PartTask, ReferenceRun, SegmentTask } from './part-task.ts'
import type { PackedSource, SealedSegment, SegmentPlan, SegmentServices } from './segment-plan.ts'
import { countPacked, SegmentSources } from './segment-sources.ts'

/** Encoded references are held as they came from the worker, and twice more in their request. */
const REFERENCE_COPIES = 3

/**
 * One segment while it is written. Messages are packed into a part; a full part goes to a worker
 * while the next one is packed; `finish` sends the last one and completes the object. A segment of
 * one part is a single PUT, a larger one a multipart upload, decided when the first part leaves.
 * Nothing leaves before the intent is durable.
 */
export class SegmentWriter {
  readonly openedAtMs: number
  readonly plan: SegmentPlan
  /** The partitions that its messages are of. */
  readonly sources = new SegmentSources()
  readonly #services: SegmentServices
  readonly #keys: NewSegmentKeys
  readonly #metadata: ObjectMetadata
  readonly #parts: Promise<{
    receipt: PartReceipt | null
    references: readonly ReferenceRun[]
  }>[] = []
  readonly #footer = new FooterBuilder()
  #part: PartBuffer | null = null
  #partsUnderWay = 0
  #bytesBefore = 0
  #messageCount = 0
  #chargedBytes = 0
  /** What of it the messages of the open part hold. */
  #partChargedBytes = 0
  #intent: Promise<void> | null = null
  #uploadId: Promise<string> | null = null
  #holdsDek = true
  #isFinished = false

  constructor(plan: SegmentPlan, services: SegmentServices) {
    this.plan = plan
    this.#services = services
    this.openedAtMs = services.clock.elapsedMs()
    const dek = plan.window.dek.retain()
    this.#keys = dek.newSegment(plan.segmentId, plan.createdAtMs)
    const { wrapped, kekId, keyDomain } = dek.record
    const { clusterId, token } = plan
    const { header } = this.#keys
    this.#metadata = encodeMetadata({ header, wrapped, kekId, keyDomain, clusterId, token })
  }

  /** What its messages hold of the in-flight budget: once a part is stored, only its references. */
  get chargedBytes(): number {
    return this.#chargedBytes
  }

  /** Whether parts are under way to the store. */
  get isStoring(): boolean {
    return this.#partsUnderWay > 0
  }

  /** Resolves when the parts are stored, or have failed, that are under way now. */
  async stored(): Promise<void> {
    await Promise.allSettled(this.#parts)
  }

  /** A finished segment takes nothing more. */
  get isFinished(): boolean {
    return this.#isFinished
  }

  /** Whether a frame of `frameBytes` still fits, by size, count and the window of its DEK. */
  hasRoom(frameBytes: number, nowMs: number): boolean {
    const { limits, window } = this.plan
    if (this.#isFinished) return false
    if (this.#messageCount === 0) return window.hasRoom(frameBytes, nowMs)
    if (this.#messageCount >= limits.messagesMax) return false
    const bytes = this.#bytesBefore + (this.#part?.size ?? 0) + frameBytes
    return bytes <= limits.bytesMax && window.hasRoom(frameBytes, nowMs)
  }

  /** Packs one message of `source`. `chargedBytes` is what it holds of the in-flight budget. */
  add(message: Message, source: PackedSource, frameBytes: number, chargedBytes: number): void {
    this.#assertOpen()
    this.#intent ??= this.#recordIntent()
    const seq = this.#messageCount++
    this.#partFor(frameBytes).append(message, frameBytes, seq, source.index)
    this.#footer.add(frameBytes, seq, source.index, message.offset)
    countPacked(source, message, frameBytes)
    this.#chargedBytes += chargedBytes
    this.#partChargedBytes += chargedBytes
    this.plan.window.spend(frameBytes)
  }

  /** Sends the last part and completes the object. Call it once; nothing may be added afterwards. */
  async finish(): Promise<SealedSegment> {
    this.#isFinished = true
    try {
      if (this.#part !== null) this.#dispatchLast(this.#part)
      this.#part = null
      void this.#wipeKeysWhenSettled()
      const parts = await Promise.all(this.#parts)
      if (parts.length > 0) await this.#complete(parts.map((part) => part.receipt))
      return {
        key: this.#key(),
        sources: this.sources.all(),
        references: parts.flatMap((part) => part.references),
        messageCount: this.#messageCount,
      }
    } finally {
      void this.#letGoOfKeys()
    }
  }

  /** Gives an unfinished segment up: its upload is aborted as far as the store can be reached. */
  async abandon(): Promise<void> {
    this.#part = null
    await this.#letGoOfKeys()
    // Only now: a part that waited for something else may have begun the upload meanwhile.
    const uploadId = await this.#uploadId?.catch(() => undefined)
    if (uploadId !== undefined) {
      await this.#services.store.abortUpload(this.plan.objectKey, uploadId).catch(() => {})
    }
  }

  #partFor(frameBytes: number): PartBuffer {
    const { partBytesMax } = this.plan.limits
    const isFull =
      this.#part !== null &&
      this.#part.size >= PART_BYTES_MIN &&
      this.#part.size + frameBytes > partBytesMax
    if (this.#part !== null && isFull) {
      this.#dispatch(this.#part.take(), false)
      this.#part = null
    }
    if (this.#part === null) {
      const isFirst = this.#bytesBefore === 0
      const head = isFirst ? this.#keys.header : new Uint8Array(0)
      this.#part = new PartBuffer(head, partBytesMax, this.#services.buffers, !isFirst)
    }
    return this.#part
  }

  #dispatchLast(part: PartBuffer): void {
    const { header, footerKey } = this.#keys
    const { clusterId } = this.plan
    const sources = this.sources.all().map((source) => ({ clusterId, ...source }))
    const covered = this.#footer.covered(sources, this.#bytesBefore + part.size)
    part.end(joinFooter(covered, footerTag(footerKey, header, covered)))
    this.#dispatch(part.take(), true)
  }

  #dispatch(filled: FilledPart, isLast: boolean): void {
    const position = this.#bytesBefore
    this.#bytesBefore += filled.size
    const partNumber = this.#parts.length + 1
    const chargedBytes = this.#partChargedBytes
    this.#partChargedBytes = 0
    this.#partsUnderWay++
    const job = this.#sealPart(filled, position, partNumber, isLast && partNumber === 1)
    const settled = job.then((part) => {
      this.#partsUnderWay--
      this.#discharge(chargedBytes, part.references)
      return part
    })
    // `finish` reports a failure; until then it must not count as unhandled.
    settled.catch(() => this.#partsUnderWay--)
    this.#parts.push(settled)
  }

  /** Gives back what the messages of a stored part held; its references wait for their transaction. */
  #discharge(chargedBytes: number, references: readonly ReferenceRun[]): void {
    const referenceBytes = references.reduce((sum, { bytes }) => sum + bytes.length, 0)
    const spare = chargedBytes - Math.min(chargedBytes, referenceBytes * REFERENCE_COPIES)
    this.#chargedBytes -= spare
    this.#services.budget.release(spare)
  }

  async #sealPart(filled: FilledPart, position: number, partNumber: number, isWhole: boolean) {
    const { patience, runner, observer, buffers } = this.#services
    await this.#intent
    const upload = isWhole
      ? ({ kind: 'whole-object', metadata: this.#metadata } as const)
      : ({ kind: 'part', uploadId: await this.#openUpload(), partNumber } as const)
    const progress = { sealed: false, uploaded: false, receipt: null, mapped: false }
    let task: PartTask = { ...filled, segment: this.#task(), position, upload, progress }
    return patience.with(async () => {
      const result = await runner.run(task)
      if (result.ok) {
        buffers.give(result.buffer)
        const { keyDomain } = this.plan.window.dek.record
        observer.partSealed(keyDomain, filled.frameCount, filled.size, result.timings)
        return result
      }
      task = { ...task, buffer: result.buffer, progress: result.progress }
      throw fromPlainError(result.error)
    })
  }

  async #complete(receipts: readonly (PartReceipt | null)[]): Promise<void> {
    const { patience, store, mapping, clock, observer } = this.#services
    if (this.#uploadId !== null) {
      const uploadId = await this.#uploadId
      const parts = receipts.filter((receipt) => receipt !== null)
      const expected = { bytes: this.#bytesBefore, metadata: this.#metadata }
      await patience.with(() =>
        store.completeUpload(this.plan.objectKey, uploadId, parts, expected),
      )
    }
    const summary = {
      ...this.#key(),
      messageCount: this.#messageCount,
      bytes: this.#bytesBefore,
      sealedAtMs: clock.nowMs(),
    }
    const opened = { ...this.#key(), createdAtMs: this.plan.createdAtMs }
    const totals = this.sources.totals()
    await Promise.all([
      patience.with(() => mapping.recordTotals(opened, totals)),
      patience.with(() => mapping.recordSealed(summary)),
    ])
    const openMs = clock.elapsedMs() - this.openedAtMs
    observer.segmentSealed(this.plan.window.dek.record.keyDomain, this.#bytesBefore, openMs)
  }

  #recordIntent(): Promise<void> {
    const { patience, mapping } = this.#services
    const { objectKey, createdAtMs } = this.plan
    const intent = { ...this.#key(), objectKey, createdAtMs }
    const recording = patience.with(() => mapping.recordIntent(intent))
    recording.catch(() => {})
    return recording
  }

  #openUpload(): Promise<string> {
    const { patience, store } = this.#services
    this.#uploadId ??= patience.with(() => store.createUpload(this.plan.objectKey, this.#metadata))
    return this.#uploadId
  }

  /** What went into a finished segment would be lost without a word: rather end the process. */
  #assertOpen(): void {
    if (this.#isFinished) throw new Error(`segment ${this.plan.segmentId} is finished`)
  }

  #key(): SegmentKey {
    return { dekId: this.plan.window.dek.record.dekId, segmentId: this.plan.segmentId }
  }

  #task(): SegmentTask {
    const { frameKey, baseNonce } = this.#keys
    const { objectKey, clusterId, createdAtMs } = this.plan
    const sources = this.sources.all().map(({ topic, partition }) => ({ topic, partition }))
    return { ...this.#key(), createdAtMs, objectKey, clusterId, frameKey, baseNonce, sources }
  }

  /** Not before: whatever becomes of the others, a part that still runs needs the key. */
  async #wipeKeysWhenSettled(): Promise<void> {
    await Promise.allSettled(this.#parts)
    this.#keys[Symbol.dispose]()
  }

  /** The DEK counts as in use for as long as a key made of it is. */
  async #letGoOfKeys(): Promise<void> {
    await this.#wipeKeysWhenSettled()
    if (!this.#holdsDek) return
    this.#holdsDek = false
    if (this.#messageCount > 0) this.plan.window.noteUse()
    this.plan.window.dek.release()
  }
}
