import { SealError } from '../../src/errors.ts'
import { placeOf } from '../../src/pipeline/message-source.ts'
import type { OutputRecords, Publication } from '../../src/pipeline/reference-sink.ts'
import { valuesOf } from '../support/record-runs.ts'
import type { Happening, Scheduler } from './scheduler.ts'

/** A producer as the broker knows it: of one transactional id, the newest epoch counts. */
export interface ProducerId {
  readonly transactionalId: string
  readonly id: number
  readonly epoch: number
}

/** A record of an output partition. */
export interface OutputEntry {
  readonly value: Uint8Array
  readonly producer: number
  state: 'open' | 'committed' | 'aborted'
}

type Offsets = Publication['offsets']

interface Transaction {
  readonly id: number
  epoch: number
  state: 'empty' | 'ongoing' | 'ending' | 'complete'
  isCommit: boolean
  readonly places: Set<string>
  hasOffsets: boolean
  timer: Happening | null
}

/** What the broker tells of. */
export interface TransactionEvents {
  /** A transaction has ended and all its markers are written. */
  onComplete(transactionalId: string): void
  /** How long the broker takes to write a marker. */
  markerMs(): number
  note(line: () => string): void
}

/** A request came too soon; the same request may succeed soon. */
export class ConcurrentTransactions extends Error {}

/** Names of what the broker does wrong, for tests of the simulation itself. */
export interface BrokerFlaws {
  /** EndTxn is not judged by its epoch. */
  readonly endsForAnybody: boolean
}

export const TRANSACTION_MS_MAX = 15_000

/**
 * Output partitions, committed offsets and the transaction coordinator, by the rules of the protocol
 * that the product's client speaks: a new epoch fences the older ones; a partition knows the newest
 * epoch that wrote to it, and nothing else of transactions; ending one is judged by the epoch alone.
 * Markers are written one by one, some time after the end was answered.
 */
export class Transactions {
  readonly committed = new Map<string, number>()
  readonly output = new Map<string, OutputEntry[]>()
  readonly #scheduler: Scheduler
  readonly #events: TransactionEvents
  readonly #flaws: BrokerFlaws
  readonly #byName = new Map<string, Transaction>()
  /** Newest epoch by partition and producer; `offsets` is the partition of committed offsets. */
  readonly #epochs = new Map<string, number>()
  readonly #pendingOffsets = new Map<number, Offsets[]>()
  #lastId = 0

  constructor(scheduler: Scheduler, events: TransactionEvents, flaws: BrokerFlaws) {
    this.#scheduler = scheduler
    this.#events = events
    this.#flaws = flaws
  }

  /** Fences everybody before. An open transaction is aborted first: ask again then. */
  init(transactionalId: string): ProducerId {
    let txn = this.#byName.get(transactionalId)
    if (txn === undefined) {
      const places = new Set<string>()
      const id = ++this.#lastId
      txn = {
        id,
        epoch: -1,
        state: 'empty',
        isCommit: false,
        places,
        hasOffsets: false,
        timer: null,
      }
      this.#byName.set(transactionalId, txn)
    }
    if (txn.state === 'ongoing') this.#fence(transactionalId, txn)
    if (txn.state === 'ending') throw new ConcurrentTransactions()
    txn.epoch++
    txn.state = 'empty'
    this.#events.note(() => `kafka: ${transactionalId} has epoch ${txn.epoch}`)
    return { transactionalId, id: txn.id, epoch: txn.epoch }
  }

  /** Whether markers of the id's last transaction are still to be written. */
  isEnding(transactionalId: string): boolean {
    return this.#byName.get(transactionalId)?.state === 'ending'
  }

  /** The newest producer of an id, without a new epoch. */
  current(transactionalId: string): ProducerId {
    const txn = this.#byName.get(transactionalId)
    if (txn === undefined) return this.init(transactionalId)
    return { transactionalId, id: txn.id, epoch: txn.epoch }
  }

  addPartitions(producer: ProducerId, places: readonly string[]): void {
    const txn = this.#begun(producer)
    for (const place of places) txn.places.add(place)
  }

  addOffsets(producer: ProducerId): void {
    this.#begun(producer).hasOffsets = true
  }

  produce(producer: ProducerId, records: OutputRecords): void {
    const place = placeOf(records)
    this.#assertNewest(place, producer)
    const entries = this.output.get(place) ?? []
    this.output.set(place, entries)
    for (const value of valuesOf(records.runs)) {
      entries.push({ value, producer: producer.id, state: 'open' })
    }
  }

  commitOffsets(producer: ProducerId, offsets: Offsets): void {
    this.#assertNewest('offsets', producer)
    const pending = this.#pendingOffsets.get(producer.id) ?? []
    pending.push(offsets.map((row) => ({ ...row })))
    this.#pendingOffsets.set(producer.id, pending)
  }

  end(producer: ProducerId, isCommit: boolean): void {
    const txn = this.#ofNewest(producer)
    if (txn.state === 'ending') throw new ConcurrentTransactions()
    if (txn.state === 'complete' && txn.isCommit === isCommit) return
    if (txn.state !== 'ongoing') throw fenced('INVALID_TXN_STATE')
    this.#end(producer.transactionalId, txn, isCommit)
  }

  #begun(producer: ProducerId): Transaction {
    const txn = this.#ofNewest(producer)
    if (txn.state === 'ending') throw new ConcurrentTransactions()
    if (txn.state !== 'ongoing') {
      txn.state = 'ongoing'
      txn.places.clear()
      txn.hasOffsets = false
      txn.timer = this.#scheduler.at(TRANSACTION_MS_MAX, () =>
        this.#fence(producer.transactionalId, txn),
      )
    }
    return txn
  }

  #ofNewest({ transactionalId, id, epoch }: ProducerId): Transaction {
    const txn = this.#byName.get(transactionalId)
    if (txn === undefined || txn.id !== id) throw fenced('INVALID_PRODUCER_ID_MAPPING')
    if (epoch < txn.epoch && !this.#flaws.endsForAnybody) throw fenced('INVALID_PRODUCER_EPOCH')
    return txn
  }

  /** Aborts an open transaction under a new epoch, which its writer does not have. */
  #fence(transactionalId: string, txn: Transaction): void {
    txn.epoch++
    this.#end(transactionalId, txn, false)
  }

  #end(transactionalId: string, txn: Transaction, isCommit: boolean): void {
    if (txn.timer !== null) this.#scheduler.cancel(txn.timer)
    txn.timer = null
    txn.state = 'ending'
    txn.isCommit = isCommit
    const { epoch } = txn
    this.#events.note(() => `kafka: ${transactionalId} ${isCommit ? 'commits' : 'aborts'}`)
    const markers = [...txn.places].map((place) => () => this.#mark(place, txn, epoch))
    if (txn.hasOffsets) markers.push(() => this.#markOffsets(txn, epoch))
    let left = markers.length
    const over = () => {
      if (--left > 0) return
      txn.state = 'complete'
      this.#events.onComplete(transactionalId)
    }
    for (const marker of markers) {
      this.#scheduler.at(this.#events.markerMs(), () => {
        marker()
        over()
      })
    }
    if (left === 0) txn.state = 'complete'
  }

  #mark(place: string, txn: Transaction, epoch: number): void {
    this.#epochs.set(`${place} ${txn.id}`, epoch)
    for (const entry of this.output.get(place) ?? []) {
      if (entry.producer !== txn.id || entry.state !== 'open') continue
      entry.state = txn.isCommit ? 'committed' : 'aborted'
    }
  }

  #markOffsets(txn: Transaction, epoch: number): void {
    this.#epochs.set(`offsets ${txn.id}`, epoch)
    const pending = this.#pendingOffsets.get(txn.id) ?? []
    this.#pendingOffsets.delete(txn.id)
    if (!txn.isCommit) return
    for (const offsets of pending) {
      for (const at of offsets) this.committed.set(placeOf(at), at.nextOffset)
    }
  }

  #assertNewest(place: string, { id, epoch }: ProducerId): void {
    const key = `${place} ${id}`
    const newest = this.#epochs.get(key) ?? 0
    if (epoch < newest && !this.#flaws.endsForAnybody) throw fenced('INVALID_PRODUCER_EPOCH')
    this.#epochs.set(key, Math.max(epoch, newest))
  }
}

function fenced(why: string): SealError {
  return new SealError('SEAL_FENCED', why)
}
