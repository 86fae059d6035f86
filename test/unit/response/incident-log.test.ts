import { describe } from 'vitest'
import {
  incidentLeaseContract,
  incidentLogContract,
} from '../../contracts/incident-log.contract.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { MemoryIncidentLease, MemoryIncidentLog } from '../../support/memory-incident-log.ts'

const log = new MemoryIncidentLog()
const lease = new MemoryIncidentLease(new ManualClock())

describe('incidents in memory', () => incidentLogContract(() => log))
describe('leases in memory', () => incidentLeaseContract(() => lease))
