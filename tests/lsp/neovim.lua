-- Drives Neovim's own LSP client and writes what it saw as JSON. Settings come from the environment.
local out = {}
local patience = 60000

local function text_of(result)
  for _, response in pairs(result or {}) do
    if response.result ~= nil then return response.result end
  end
end

local ok, err = pcall(function()
  local id = vim.lsp.start_client({
    name = "gradsight",
    cmd = vim.json.decode(vim.env.GRADSIGHT_COMMAND),
    root_dir = vim.env.GRADSIGHT_ROOT,
    init_options = { settings = { verify = { python = vim.env.GRADSIGHT_PYTHON } } },
  })
  vim.lsp.buf_attach_client(0, id)
  vim.wait(patience, function() return #vim.diagnostic.get(0) > 0 end, 20)
  out.diagnostics = vim.diagnostic.get(0)

  local position = { textDocument = vim.lsp.util.make_text_document_params(), position = { line = 4, character = 4 } }
  local hover = text_of(vim.lsp.buf_request_sync(0, "textDocument/hover", position, patience))
  out.hover = hover and hover.contents.value

  local place = { line = 4, character = 4 }
  local actions = text_of(vim.lsp.buf_request_sync(0, "textDocument/codeAction", {
    textDocument = vim.lsp.util.make_text_document_params(),
    range = { start = place, ["end"] = place },
    context = { diagnostics = {} },
  }, patience))
  out.actions = vim.tbl_map(function(action) return action.title end, actions or {})

  for _, action in ipairs(actions or {}) do
    if action.title == "Fix and verify" then
      out.answer = text_of(vim.lsp.buf_request_sync(0, "workspace/executeCommand", action.command, patience))
    end
  end
  vim.wait(patience, function() return #vim.diagnostic.get(0) == 0 end, 20)
  out.after = vim.diagnostic.get(0)
  out.lines = vim.api.nvim_buf_get_lines(0, 0, -1, false)
end)
out.error = (not ok) and tostring(err) or nil
local file = assert(io.open(vim.env.GRADSIGHT_OUT, "w"))
file:write(vim.json.encode(out))
file:close()
vim.cmd("qall!")
