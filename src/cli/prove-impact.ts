import type { Config } from '../config/schema.ts'
import { isSealError, SealError } from '../errors.ts'
import type { KeyScope } from '../incident/impact-scope.ts'
import { type ImpactProof, proveImpact } from '../rebuild/impact-proof.ts'
import { EXIT_CODES } from './exit-codes.ts'
import { printable } from './printable.ts'
import { renderJson } from './render.ts'
import { stepProgress } from './step-progress.ts'
import { stoppedCode, stopSignal } from './stop-signal.ts'
import { renderCount } from './table.ts'
import type { Terminal } from './terminal.ts'

const KEPT_MAX = 20
/** DEKs that are listed for people; JSON has all of them. */
const DEKS_SHOWN_MAX = 20

/**
 * `sealstream impact --prove`: holds what the index says of the keys against a scan of the whole store,
 * prints what came of it, and sets the exit code. Throws SEAL_KEY_UNKNOWN when neither knows the key.
 */
export async function answerProof(
  config: Config,
  scope: KeyScope,
  isJson: boolean,
  terminal: Terminal,
): Promise<void> {
  const { withProofPorts } = await import('../compose/rebuild.ts')
  const stop = stopSignal()
  const progress = stepProgress()
  try {
    progress.stepBegan('objects', null)
    const settings = {
      ...{ prefix: config.s3.prefix, underWayMs: config.segment.publishWithinMs },
      ...{ keptMax: KEPT_MAX, signal: stop.signal, onScanned: () => progress.advanced(1) },
    }
    const proof = await withProofPorts(config, (ports) => proveImpact(ports, scope, settings))
    progress.end()
    if (!proof.deks.some(({ isOnRecord, segments }) => isOnRecord || segments > 0)) {
      throw new SealError('SEAL_KEY_UNKNOWN', 'neither the index nor the store knows such a key')
    }
    terminal.out(isJson ? renderJson({ ...scope, ...proof }) : renderProof(proof))
    terminal.exitCode = proof.isProven ? EXIT_CODES.ok : EXIT_CODES.inconsistent
  } catch (error) {
    if (!isSealError(error, 'SEAL_STOPPED')) throw error
    terminal.err('sealstream: stopped before anything was proven\n')
    terminal.exitCode = stoppedCode(stop.signal)
  } finally {
    progress.end()
    stop.release()
  }
}

/** A proof for people. */
export function renderProof(proof: ImpactProof): string {
  const { deks, versions, unread, underWay, differences, isProven } = proof
  const sum = (name: 'segments' | 'messages' | 'missing' | 'elsewhere' | 'extra') =>
    deks.reduce((total, dek) => total + dek[name], 0)
  const line = (count: number, words: string) => `${renderCount(count).padStart(15)} ${words}`
  const unknown = deks.filter(({ isOnRecord }) => !isOnRecord)
  const lines = [
    line(versions, 'versions of objects were read'),
    line(deks.length, 'DEKs are asked about'),
    line(sum('segments'), 'segments in the store are under them'),
    line(sum('messages'), 'messages in the store are under them'),
    line(sum('missing'), 'of these are missing in the index'),
    line(sum('elsewhere'), 'of these are at another place in the index'),
    line(sum('extra'), 'messages are in the index, and no object holds them'),
    ...(unread > 0 ? [line(unread, 'objects that may be under them cannot be read')] : []),
    ...(underWay > 0 ? [line(underWay, 'segments are being written, and were left out')] : []),
    ...unknown.slice(0, DEKS_SHOWN_MAX).map(({ dekId }) => `not on record: DEK ${dekId}`),
    ...differences.map(({ kind, count, object, dekId }) =>
      printable(
        `${kind}: ${object} (${renderCount(count)})${dekId === null ? '' : ` DEK ${dekId}`}`,
      ),
    ),
    isProven ? 'proven: the index tells all of it, and nothing else' : 'not proven',
  ]
  return `${lines.join('\n')}\n`
}
