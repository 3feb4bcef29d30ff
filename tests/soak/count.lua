-- For wrk: posts the file that is named, and counts the answers by status.

local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  local file = io.open(args[1], "rb")
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
  wrk.body = file:read("*a")
  file:close()
  statuses = ""
  counts = {}
end

function response(status)
  counts[status] = (counts[status] or 0) + 1
  local lines = {}
  for code, n in pairs(counts) do
    table.insert(lines, code .. " " .. n)
  end
  statuses = table.concat(lines, "\n")
end

function done(summary)
  local sums = {}
  for _, thread in ipairs(threads) do
    for code, n in string.gmatch(thread:get("statuses"), "(%d+) (%d+)") do
      sums[code] = (sums[code] or 0) + n
    end
  end
  for code, n in pairs(sums) do
    print(string.format("status %s: %d", code, n))
  end
  local errors = summary.errors
  print(string.format("socket errors: %d", errors.connect + errors.read + errors.write + errors.timeout))
end
