import type { Clock } from '../clock.ts'
import { readDirectory } from '../incident/directory-scan.ts'
import type { KeyScope } from '../incident/impact-scope.ts'
import { type ScannedSegment, type ScannedStore, scanStore } from '../incident/store-scan.ts'
import { isSameKek } from '../keys/kek-name.ts'
import type { MappingReader, SegmentEntry } from '../mapping/mapping-store.ts'
import { Claims } from './claims.ts'
import { compareRows } from './row-comparison.ts'
import { isHeld, isUnderWay } from './segment-state.ts'

/** Where a proof looks. Nothing is changed. */
export interface ProofPorts {
  readonly store: ScannedStore
  readonly mapping: MappingReader
  readonly clock: Pick<Clock, 'nowMs'>
}

/** How a proof is made. */
export interface ProofSettings {
  /** Of object keys, without slashes at its ends. */
  readonly prefix: string
  /** An encryptor may still be at work on a segment that is younger than this. */
  readonly underWayMs: number
  /** Names of each kind that are kept; all are counted. */
  readonly keptMax: number
  readonly signal: AbortSignal
  /** Hears of every version of an object that was looked at. */
  readonly onScanned: () => void
}

/** Where the index and the store differ. */
export interface ProofDifference {
  /**
   * missing: in the store and not in the index; elsewhere: the index says another place; extra: in the
   * index as sealed or published, and no object holds it; unread: an object that may be under the DEK,
   * and cannot be read.
   */
  readonly kind: 'missing' | 'elsewhere' | 'extra' | 'unread'
  /** Messages; objects for what is unread. */
  readonly count: number
  readonly object: string
  /** null for an object that does not even say its DEK. */
  readonly dekId: string | null
}

/** What was counted of one DEK. */
export interface DekProof {
  readonly dekId: string
  /** Whether a look-up by DEK finds it. */
  readonly isOnRecord: boolean
  /** In the store: segments, each once however many versions say it, and their messages. */
  readonly segments: number
  readonly messages: number
  readonly missing: number
  readonly elsewhere: number
  readonly extra: number
}

/** Whether the index tells all that the DEKs protect, and nothing that they do not. */
export interface ImpactProof {
  readonly isProven: boolean
  readonly deks: readonly DekProof[]
  /** Versions of objects that were read, of all DEKs. */
  readonly versions: number
  /** Objects that cannot be read, and may be under one of the DEKs. */
  readonly unread: number
  /** Segments that encryptors were at work on; they were not compared. */
  readonly underWay: number
  readonly differences: readonly ProofDifference[]
}

/**
 * Holds what the index says of some DEKs against a scan of the whole store: every version of every
 * object, by what it says of itself. Needs no key, so an object that was forged counts like any other.
 * Throws SEAL_STORE_*, SEAL_MAPPING_* and SEAL_STOPPED.
 */
export async function proveImpact(
  ports: ProofPorts,
  scope: KeyScope,
  settings: ProofSettings,
): Promise<ImpactProof> {
  const scoped = await ScopedDeks.of(ports, scope, settings)
  const proof = new Proof(ports, settings, scoped)
  const { versions } = await scanStore(
    ports.store,
    { ...settings },
    {
      segment: (found) => proof.take(found),
      unread: ({ version, dekId }) => proof.doubt(version.key, dekId),
    },
  )
  return { ...(await proof.end()), versions }
}

/** The DEKs that are asked about: those on record, and what objects say beside. */
class ScopedDeks {
  readonly ids: Set<string>
  readonly #kekId: string | null
  /** DEKs of the KEK of which it is known that another version of it wrapped them. */
  readonly #others: ReadonlySet<string>

  private constructor(ids: Set<string>, kekId: string | null, others: ReadonlySet<string>) {
    this.ids = ids
    this.#kekId = kekId
    this.#others = others
  }

  static async of(ports: ProofPorts, scope: KeyScope, settings: ProofSettings) {
    if ('dekId' in scope) {
      return new ScopedDeks(new Set([scope.dekId.trim().toLowerCase()]), null, new Set())
    }
    const kekId = scope.kekId.trim()
    const [ids, others] = [new Set<string>(), new Set<string>()]
    const take = (dekId: string, isAsked: boolean) => (isAsked ? ids : others).add(dekId)
    // A rewrap leaves DEKs that several versions of one KEK have wrapped.
    for await (const dek of ports.mapping.deksOfKek(kekId, scope.kekVersion)) take(dek.dekId, true)
    for await (const { dekId } of ports.mapping.deksOfKek(kekId)) take(dekId, ids.has(dekId))
    await readDirectory(ports.store, settings, (record) => {
      const isAsked = scope.kekVersion === undefined || scope.kekVersion === record.kekVersion
      if (isSameKek(kekId, record.kekId)) take(record.dekId, isAsked)
    })
    return new ScopedDeks(ids, kekId, others)
  }

  /** Objects do not say the version of their KEK: where nothing else does, they count. */
  has({ dekId, kekId }: Pick<ScannedSegment, 'dekId' | 'kekId'>): boolean {
    if (this.ids.has(dekId)) return true
    if (this.#kekId === null || !isSameKek(this.#kekId, kekId) || this.#others.has(dekId)) {
      return false
    }
    this.ids.add(dekId)
    return true
  }
}

type Counts = { -readonly [K in keyof Omit<DekProof, 'dekId' | 'isOnRecord'>]: number }

class Proof {
  readonly #ports: ProofPorts
  readonly #settings: ProofSettings
  readonly #scope: ScopedDeks
  readonly #claims = new Claims()
  readonly #counts = new Map<string, Counts>()
  readonly #kept: ProofDifference[] = []
  readonly #doubts: { readonly object: string; readonly dekId: string | null }[] = []
  #unread = 0
  #underWay = 0

  constructor(ports: ProofPorts, settings: ProofSettings, scope: ScopedDeks) {
    this.#ports = ports
    this.#settings = settings
    this.#scope = scope
  }

  async take(found: ScannedSegment): Promise<void> {
    if (!this.#scope.has(found) || !this.#claims.add(found)) return
    const { mapping, clock } = this.#ports
    const { dekId, frames, version } = found
    const counts = this.#countsOf(dekId)
    counts.segments++
    counts.messages += frames.count
    const entry = await mapping.findSegment(found)
    if (entry !== null && isUnderWay(found, entry, this.#settings.underWayMs, clock.nowMs())) {
      this.#underWay++
      return
    }
    const rows =
      entry === null
        ? { missing: frames.count, elsewhere: 0, extra: 0 }
        : await compareRows(mapping, entry, frames)
    for (const kind of ['missing', 'elsewhere', 'extra'] as const) {
      this.#add(kind, rows[kind], version.key, dekId)
    }
  }

  /** Takes note of an object that cannot be read. */
  doubt(object: string, dekId: string | null): void {
    this.#doubts.push({ object, dekId })
  }

  async end(): Promise<Omit<ImpactProof, 'versions'>> {
    const { mapping } = this.#ports
    const deks: DekProof[] = []
    for (const { object, dekId } of this.#doubts) {
      // One of a DEK that nobody asked about is let be.
      if (dekId !== null && !this.#scope.ids.has(dekId)) continue
      this.#unread++
      this.#keep({ kind: 'unread', count: 1, object, dekId })
    }
    for (const dekId of this.#scope.ids) {
      for await (const entry of mapping.segmentsOfDek(dekId)) await this.#takeEntry(entry)
      const isOnRecord = (await mapping.findDek(dekId)) !== null
      deks.push({ dekId, isOnRecord, ...this.#countsOf(dekId) })
    }
    const isSound = (dek: DekProof) =>
      dek.isOnRecord && dek.missing + dek.elsewhere + dek.extra === 0
    return {
      isProven: this.#unread === 0 && deks.every(isSound),
      ...{ deks, unread: this.#unread, underWay: this.#underWay, differences: this.#kept },
    }
  }

  /** Segments on record that the scan has not met. */
  async #takeEntry(entry: SegmentEntry): Promise<void> {
    const { state, objectKey, dekId, messageCount } = entry
    if (state !== 'published' && state !== 'sealed') return
    if (this.#claims.has(entry) || (await isHeld(this.#ports.store, entry))) return
    this.#add('extra', messageCount ?? (await this.#rowCount(entry)), objectKey, dekId)
  }

  async #rowCount(entry: SegmentEntry): Promise<number> {
    let count = 0
    for await (const frames of this.#ports.mapping.framesOfSegment(entry)) count += frames.count
    return count
  }

  #countsOf(dekId: string): Counts {
    const none = { segments: 0, messages: 0, missing: 0, elsewhere: 0, extra: 0 }
    const counts = this.#counts.get(dekId) ?? none
    this.#counts.set(dekId, counts)
    return counts
  }

  #add(
    kind: 'missing' | 'elsewhere' | 'extra',
    count: number,
    object: string,
    dekId: string,
  ): void {
    if (count === 0) return
    this.#countsOf(dekId)[kind] += count
    this.#keep({ kind, count, object, dekId })
  }

  #keep(difference: ProofDifference): void {
    const kept = this.#kept.filter(({ kind }) => kind === difference.kind).length
    if (kept < this.#settings.keptMax) this.#kept.push(difference)
  }
}
