import express, { type ErrorRequestHandler } from 'express'
import { expressHandler } from './express.ts'
import { describeAdapter } from './testing/adapter-suite.ts'
import { listen } from './testing/listen.ts'

// Express knows error handlers by their four parameters.
const handled: ErrorRequestHandler = (error: { status?: number; code?: string }, _request, response, next) => {
  if (response.headersSent) return next(error)
  response.status(error.status ?? 500).json({ handled: error.code })
}

describeAdapter('express', async (plug, { parser = 'behind', ...options } = {}) => {
  const app = express()
  if (parser === 'in front') app.use(express.json())
  if (parser === 'keeping') {
    app.use(express.json({ verify: (request, _response, bytes) => Object.assign(request, { rawBody: bytes }) }))
  }
  app.use(expressHandler(plug, options))
  app.use(express.json())
  app.get('/app', (_request, response) => void response.send('the app'))
  app.post('/app', (request, response) => void response.json(request.body))
  app.use(handled)
  return listen(app)
})
