import type { KekServices } from '../../compose/kek-rotation.ts'
import { SealError } from '../../errors.ts'
import { actorOfOperator } from '../../keys/instance.ts'
import {
  isStale,
  type KekVersion,
  keysInScope,
  type VersionReport,
  versionsInUse,
  versionsNow,
} from '../../keys/kek-versions.ts'
import { newRequest } from '../../keys/rotation.ts'
import { awaitRotation, domainOf } from '../await-rotation.ts'
import { EXIT_CODES } from '../exit-codes.ts'
import { printable } from '../printable.ts'
import type { Terminal } from '../terminal.ts'
import type { RotateKekOptions } from './rotate-kek.ts'

/** Instances tell of a DEK within this time after they made it. */
const LOOK_MS = 10_000

/**
 * `sealstream rotate kek --new-version`: ends every window, so that new DEKs are made under the
 * version that the KMS has now, and sees that they are.
 */
export async function rotateVersion(
  services: KekServices,
  options: RotateKekOptions,
  terminal: Terminal,
): Promise<void> {
  const { office, clock } = services
  const keyDomain = domainOf(options.domain)
  const now = await versionsNow(services, keyDomain)
  const before = keysInScope(await office.keysInUse(), keyDomain).flatMap(({ keys }) => keys)
  const told = now.filter(({ kekVersion }) => kekVersion !== null)
  if (told.length > 0 && before.length > 0 && !before.some((key) => isStale(key, now))) {
    const list = told.map(({ kekId, kekVersion }) => `${kekId} version ${kekVersion}`).join(', ')
    const message = `every data key in use is under ${list} already; rotate the KEK in the KMS first`
    throw new SealError('SEAL_INPUT_INVALID', message)
  }
  const scope = { dekId: null, keyDomain }
  const asked = { actor: actorOfOperator(), reason: `new KEK version: ${options.reason}`, scope }
  const request = newRequest(asked, clock.nowMs())
  const report = await awaitRotation(services, request, options, terminal)
  if (told.length === 0) {
    terminal.err('sealstream: the KMS tells no versions, so none could be compared\n')
    return
  }
  if (report.instances.length === 0) return
  const limits = { withinMs: LOOK_MS, signal: new AbortController().signal }
  conclude(await versionsInUse(services, keyDomain, now, limits), told, terminal)
}

function conclude(
  { renewed, stale, unused }: VersionReport,
  told: readonly KekVersion[],
  terminal: Terminal,
): void {
  const list = told.map(({ kekId, kekVersion }) => `${kekId} version ${kekVersion}`).join(', ')
  terminal.err(`sealstream: ${renewed} new data keys in use, under ${printable(list)}\n`)
  for (const instanceId of unused) {
    terminal.err(`${printable(instanceId)}: makes its next data key with its next message\n`)
  }
  for (const { instanceId, key } of stale) {
    const { dekId, kekId, kekVersion } = key
    const under = printable(`${kekId} version ${kekVersion ?? '-'}`)
    terminal.err(`${printable(instanceId)}: data key ${dekId} is still under ${under}\n`)
  }
  if (stale.length > 0) terminal.exitCode = EXIT_CODES.unanswered
}
