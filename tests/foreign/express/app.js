// A small API of leads, written as the documentation of Express and of its limiters teaches it.
//
// PORT, LIMITER, DEFECT and the keys come from the environment. A defect is a change that teams really make; each is
// one `if (defect === …)`, so that what is right and what is wrong stand side by side.
import { createHash, randomUUID } from 'node:crypto';

import express from 'express';
import { rateLimit } from 'express-rate-limit';
import { RateLimiterMemory } from 'rate-limiter-flexible';

const { PORT = '8080', LIMITER = 'draft-8', DEFECT: defect = '' } = process.env;
const WINDOW = 5;
const AMOUNTS = { read: 24, write: 18, admin: 12 };
const RANK = { read: 0, write: 1, admin: 2 };

// --- keys ----------------------------------------------------------------------------------------------------------

const digest = (text) => createHash('sha256').update(text).digest('hex');
const folded = (text) => (defect === 'keys-without-case' ? text.toLowerCase() : text);

const HELD = {
  KEY_READ: { scope: 'read', organisation: 'A' },
  KEY_READ_2: { scope: 'read', organisation: 'A' },
  KEY_WRITE: { scope: 'write', organisation: 'A' },
  KEY_WRITE_2: { scope: 'write', organisation: 'A' },
  KEY_ADMIN: { scope: 'admin', organisation: 'A' },
  KEY_ADMIN_2: { scope: 'admin', organisation: 'A' },
  KEY_OTHER_READ: { scope: 'read', organisation: 'B' },
  KEY_OTHER: { scope: 'admin', organisation: 'B' },
  KEY_REVOKED: { scope: 'admin', organisation: 'A', revokedAt: Date.parse('2026-01-01') },
  KEY_EXPIRED: { scope: 'admin', organisation: 'A', expiresAt: Date.parse('2026-01-01') },
};
const keys = new Map(
  Object.entries(HELD)
    .filter(([name]) => process.env[name])
    .map(([name, key]) => [digest(folded(process.env[name])), { id: name, ...key }]),
);

function refuse(res, status, error, message) {
  return res.status(status).json({ error, message });
}

function authenticate(req, res, next) {
  const [, token] = /^Bearer +([^ ]+)$/i.exec(req.get('Authorization') ?? '') ?? [];
  const key = token && keys.get(digest(folded(token)));
  const dead = key && ((key.revokedAt && defect !== 'revoked-not-asked') || key.expiresAt < Date.now());
  if (!key || dead) {
    res.set('WWW-Authenticate', token ? 'Bearer realm="leads", error="invalid_token"' : 'Bearer realm="leads"');
    return refuse(res, 401, 'unauthorized', 'A valid API key is required.');
  }
  req.key = key;
  next();
}

function requireScope(scope) {
  return (req, res, next) => {
    if (RANK[req.key.scope] >= RANK[scope]) return next();
    refuse(res, 403, 'forbidden', `This needs the scope ${scope}.`);
  };
}

// --- limiters ------------------------------------------------------------------------------------------------------

const whose = (req) => (defect === 'limit-by-address' ? req.ip : req.key.id);
const tooMany = { error: 'rate_limited', message: 'Too many requests, please try again later.' };

function expressRateLimit(headers) {
  return rateLimit({
    windowMs: WINDOW * 1000,
    limit: (req) => AMOUNTS[req.key.scope],
    keyGenerator: whose,
    message: tooMany,
    ...headers,
  });
}

/** Count with rate-limiter-flexible, as its wiki shows it for Express. */
function flexible(options) {
  const limiters = Object.fromEntries(
    Object.entries(AMOUNTS).map(([scope, points]) => [
      scope,
      new RateLimiterMemory({ keyPrefix: scope, points, duration: WINDOW, ...options }),
    ]),
  );
  return (req, res, next) => {
    limiters[req.key.scope].consume(whose(req)).then(
      () => next(),
      (rejected) => {
        res.set('Retry-After', String(Math.ceil(rejected.msBeforeNext / 1000)));
        res.status(429).json(tooMany);
      },
    );
  };
}

const LIMITERS = {
  legacy: () => expressRateLimit({ legacyHeaders: true, standardHeaders: false }),
  'draft-6': () => expressRateLimit({ legacyHeaders: false, standardHeaders: 'draft-6' }),
  'draft-7': () => expressRateLimit({ legacyHeaders: false, standardHeaders: 'draft-7' }),
  'draft-8': () => expressRateLimit({ legacyHeaders: false, standardHeaders: 'draft-8' }),
  flexible: () => flexible({}),
};

// --- leads ---------------------------------------------------------------------------------------------------------

const leads = new Map();
const ours = (req) => [...leads.values()].filter((lead) => lead.organisation === req.key.organisation);
const shown = ({ organisation, ...lead }) => lead;

function find(req, res, next) {
  const lead = leads.get(req.params.id);
  if (!lead || (lead.organisation !== req.key.organisation && defect !== 'object-by-id-alone')) {
    return refuse(res, 404, 'not_found', 'There is no such lead.');
  }
  req.lead = lead;
  next();
}

/** Take the fields that there are, and say what is wrong with them. */
function fields(req, res, next) {
  const { name, email } = req.body ?? {};
  const wrong = (value) => value !== undefined && (typeof value !== 'string' || value === '');
  if (typeof req.body !== 'object' || wrong(name) || wrong(email) || (req.method === 'POST' && name === undefined)) {
    return refuse(res, 400, 'bad_request', 'A lead has a name and may have an email.');
  }
  req.fields = Object.fromEntries(Object.entries({ name, email }).filter(([, value]) => value !== undefined));
  next();
}

const router = express.Router();

router
  .route('/leads')
  .get(requireScope('read'), (req, res) => res.json({ data: ours(req).map(shown) }))
  .post(requireScope('write'), fields, (req, res) => {
    const lead = { id: randomUUID(), ...req.fields, organisation: req.key.organisation };
    leads.set(lead.id, lead);
    res.status(201).location(`/api/v1/leads/${lead.id}`).json(shown(lead));
  });

router
  .route('/leads/:id')
  .get(requireScope('read'), find, (req, res) => res.json(shown(req.lead)))
  .patch(requireScope('write'), find, fields, (req, res) => res.json(shown(Object.assign(req.lead, req.fields))))
  .delete(requireScope(defect === 'scope-forgotten' ? 'read' : 'admin'), find, (req, res) => {
    leads.delete(req.lead.id);
    res.sendStatus(204);
  });

const countLeads = (req, res) => res.json({ leads: req.key ? ours(req).length : leads.size });
router.get('/analytics', requireScope('read'), countLeads);

// --- application ---------------------------------------------------------------------------------------------------

const app = express();
if (defect === 'limit-by-address') app.set('trust proxy', true);
if (defect === 'method-override') {
  // As the package method-override does it, after the guard has seen the method that was sent.
  router.stack.unshift(...express.Router().use((req, res, next) => next()).stack);
}
app.use(express.json());
if (defect === 'route-before-middleware') app.get('/api/v1/analytics', countLeads);
app.use('/api/v1', authenticate, LIMITERS[LIMITER](), router);
app.use((error, req, res, next) => {
  if (res.headersSent || !(error.status >= 400 && error.status < 500)) return next(error);
  refuse(res, error.status, 'bad_request', 'The request could not be read.');
});

app.listen(Number(PORT), '127.0.0.1', () => console.log(`listening on ${PORT}`));
