/** Everything below `/api/plugwork` is Plugwork's. */
import { nextHandlers } from 'plugwork/next'
import { plug } from '../../../../plug.ts'

export const { GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS } = nextHandlers(plug)
