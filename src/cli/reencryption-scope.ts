import type { Command } from 'commander'
import { SealError } from '../errors.ts'
import type { ReencryptionScope } from '../reencryption/plan.ts'
import { parseAge, parseDekId, parseLimit } from './options.ts'
import { type ScopeNames, scopeNamed } from './scope-names.ts'

/** What {@link withScopeOptions} adds to the options of a command. */
export interface ScopeOptions extends ScopeNames {
  readonly olderThan?: number
}

/** Adds what names the segments that are to be re-encrypted. */
export function withScopeOptions(command: Command): Command {
  return command
    .option('--dek <id>', 'all segments under this data key', parseDekId)
    .option('--kek <id>', 'all under data keys that this KEK ever wrapped: its ARN or bare id')
    .option('--kek-version <version>', 'only what this version of the KEK wrapped')
    .option('--domain <name>', 'all under data keys of this key domain')
    .option('--topic <topic>', 'all segments with messages of this topic, each as a whole')
    .option('--partition <number>', 'only those with messages of this partition of it', parseLimit)
    .option('--older-than <age>', 'all under data keys that are older than this', parseAge)
}

/** The scope that the options name; all of them must hold. Throws SEAL_INPUT_INVALID. */
export function scopeOf(options: ScopeOptions, nowMs: number): ReencryptionScope {
  const { dek, kek, domain, topic, olderThan } = options
  const named = [dek, kek, domain, topic, olderThan].filter((one) => one !== undefined)
  if (named.length === 0) {
    throw refused(
      'name what is to be re-encrypted: --dek, --kek, --domain, --topic or --older-than',
    )
  }
  if (dek !== undefined && named.length > 1) throw refused('--dek names all there is to say')
  const scope = scopeNamed(options)
  if (named.some((one) => typeof one === 'string' && one.trim() === '')) {
    throw refused('a name of what is to be re-encrypted is empty')
  }
  return {
    ...scope,
    ...(olderThan === undefined ? {} : { madeBeforeMs: nowMs - olderThan }),
  }
}

function refused(message: string): SealError {
  return new SealError('SEAL_INPUT_INVALID', message)
}
