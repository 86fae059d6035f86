import { errors, types } from 'cassandra-driver'
import { isSealError, messageOf, SealError } from '../../errors.ts'

/** What a message about a failure names: the places that were asked, and how they are configured. */
export interface CassandraPlace {
  readonly endpoints: readonly string[]
  readonly localDatacenter: string
  readonly keyspace: string
}

const codes = types.responseErrorCodes

/** Answers that say "not now" rather than "not like this". */
const PASSING: ReadonlySet<number> = new Set([
  codes.serverError,
  codes.unavailableException,
  codes.overloaded,
  codes.isBootstrapping,
  codes.truncateError,
  codes.writeTimeout,
  codes.readTimeout,
  codes.readFailure,
  codes.writeFailure,
  codes.unprepared,
])

const refused = (message: string, cause: unknown) =>
  new SealError('SEAL_MAPPING_REFUSED', message, { cause })

/** Turns whatever the driver threw into SEAL_MAPPING_UNAVAILABLE (retryable) or SEAL_MAPPING_REFUSED. */
export function mappingFailure(error: unknown, place: CassandraPlace): SealError {
  if (isSealError(error)) return error
  const where = `Cassandra at ${place.endpoints.join(', ')}`
  if (error instanceof errors.NoHostAvailableError) {
    // A refusal by one node explains more than the silence of the others.
    const inner = Object.values(error.innerErrors ?? {}).filter((one) => one !== null)
    const telling = inner.map((one) => refusal(one, where, place)).find((one) => one !== null)
    if (telling) return telling
    return unavailable(where, inner[0] ?? 'no node is up', error)
  }
  return refusal(error, where, place) ?? unavailable(where, error, error)
}

function unavailable(where: string, reason: unknown, cause: unknown): SealError {
  const why = messageOf(reason)
  const message = `${where} does not answer (${why}); see that the nodes are up and that cassandra.contactPoints names them`
  return new SealError('SEAL_MAPPING_UNAVAILABLE', message, { retryable: true, cause })
}

/** null when a later try may pass without anybody changing anything. */
function refusal(error: unknown, where: string, place: CassandraPlace): SealError | null {
  const why = messageOf(error)
  if (error instanceof errors.AuthenticationError) {
    const way = 'set cassandra.username and cassandra.password to a role that may log in'
    return refused(`${where} refuses the credentials (${why}); ${way}`, error)
  }
  if (error instanceof errors.ArgumentError && /^(Datacenter|localDataCenter)\b/.test(why)) {
    const way = 'set cassandra.localDatacenter to one of those'
    return refused(`${where} has no datacenter "${place.localDatacenter}" (${why}); ${way}`, error)
  }
  if (error instanceof errors.ArgumentError || error instanceof TypeError) {
    return refused(`the Cassandra driver refuses the request (${why})`, error)
  }
  if (!(error instanceof errors.ResponseError) || PASSING.has(error.code)) return null
  return answeredRefusal(error, why, where, place)
}

function answeredRefusal(
  error: errors.ResponseError,
  why: string,
  where: string,
  place: CassandraPlace,
): SealError {
  if (error.code === codes.badCredentials) {
    const way = 'set cassandra.username and cassandra.password to a role that may log in'
    return refused(`${where} refuses the credentials (${why}); ${way}`, error)
  }
  if (error.code === codes.unauthorized) {
    const way = `grant the role SELECT and MODIFY on keyspace "${place.keyspace}" (CREATE as well for cassandra.createSchema)`
    return refused(`${where} does not allow it (${why}); ${way}`, error)
  }
  if (
    error.code === codes.invalid &&
    /does ?n[o']t exist|unconfigured table|undefined column/i.test(why)
  ) {
    const way =
      'set cassandra.createSchema to true, or cassandra.keyspace to the one that holds the schema'
    return refused(
      `${where} lacks keyspace "${place.keyspace}" or a part of the schema (${why}); ${way}`,
      error,
    )
  }
  return refused(`${where} refuses the request (${why})`, error)
}
