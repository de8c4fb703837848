// A small API of leads, written as the documentation of Express and of its limiters teaches it.
//
// PORT, LIMITER, DEFECT and the keys come from the environment. A defect is a change that teams really make; each is
// one `if (defect === …)`, so that what is right and what is wrong stand side by side.
import { createHash, randomBytes, randomUUID } from 'node:crypto';

import express from 'express';
import { rateLimit } from 'express-rate-limit';
import { RateLimiterMemory } from 'rate-limiter-flexible';

const { PORT = '8080', LIMITER = 'draft-8', DEFECT: defect = '' } = process.env;
const WINDOW = 5;
const AMOUNTS = { read: 12, write: 60, admin: 60 };
const RANK = { read: 0, write: 1, admin: 2 };

// --- keys ----------------------------------------------------------------------------------------------------------

const digest = (text) => createHash('sha256').update(text).digest('hex');
const folded = (text) => (defect === 'keys-without-case' ? text.toLowerCase() : text);

/** Return what the environment hands over: KEY_A_READ_1 is organisation A's, KEY_B_ADMIN_REVOKED was revoked. */
function* handedOver() {
  for (const [name, secret] of Object.entries(process.env)) {
    const [, organisation, scope, mark] = /^KEY_([A-Z])_([A-Z]+)_(\d+|REVOKED|EXPIRED)$/.exec(name) ?? [];
    if (!mark) continue;
    const long = Date.parse('2026-01-01');
    yield [secret, { id: name, organisation, scope: scope.toLowerCase(), ended: /\d/.test(mark) ? undefined : long }];
  }
}
const keys = new Map();
const keep = (secret, key) => keys.set(digest(folded(secret)), key);
for (const [secret, key] of handedOver()) keep(secret, key);

function refuse(res, status, error, message) {
  return res.status(status).json({ error, message });
}

function authenticate(req, res, next) {
  const [, token] = /^Bearer +([^ ]+)$/i.exec(req.get('Authorization') ?? '') ?? [];
  const key = token && keys.get(digest(folded(token)));
  if (!key || (key.ended <= Date.now() && defect !== 'ended-not-asked')) {
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

// --- managing keys -------------------------------------------------------------------------------------------------

const described = ({ id, scope, ended }) => ({ id, scope, state: ended === undefined ? 'active' : 'ended' });

router
  .route('/keys')
  .all(requireScope(defect === 'guard-by-path' ? 'read' : 'admin'))
  .get((req, res) => {
    const held = [...keys.values()].filter((key) => key.organisation === req.key.organisation);
    res.json({ data: held.map(described) });
  })
  .post((req, res) => {
    if (!Object.hasOwn(RANK, req.body?.scope ?? '')) return refuse(res, 400, 'bad_request', 'A key has a scope.');
    const secret = `sk_${randomBytes(24).toString('base64url')}`;
    const key = { id: randomUUID(), organisation: req.key.organisation, scope: req.body.scope };
    keep(secret, key);
    res.status(201).json({ ...described(key), key: secret });
  });

router.delete('/keys/:id', requireScope('admin'), (req, res) => {
  const key = [...keys.values()].find(({ id, organisation }) => {
    return id === req.params.id && organisation === req.key.organisation;
  });
  if (!key) return refuse(res, 404, 'not_found', 'There is no such key.');
  key.ended ??= Date.now();
  res.sendStatus(204);
});

// --- application ---------------------------------------------------------------------------------------------------

const app = express();
if (defect === 'limit-by-address') app.set('trust proxy', true);
app.use(express.json());
if (defect === 'route-before-middleware') app.get('/api/v1/analytics', countLeads);
app.use('/api/v1', authenticate, LIMITERS[LIMITER]());
if (defect === 'guard-by-path') {
  // The router does not tell capitals from small letters, and this does.
  app.use(/^\/api\/v1\/keys/, requireScope('admin'));
}
app.use('/api/v1', router);
app.use((error, req, res, next) => {
  if (res.headersSent || !(error.status >= 400 && error.status < 500)) return next(error);
  refuse(res, error.status, 'bad_request', 'The request could not be read.');
});

app.listen(Number(PORT), '127.0.0.1', () => console.log(`listening on ${PORT}`));
