# Compiling and linking. $(B) is where the outputs go: build/, or a folder of its own for each sanitizer.

SANITIZER ?=
SANITIZER_FLAGS :=
OPTIMIZE := -O3 -g
WARNINGS := -Wall -Wextra -Wconversion -Wshadow -Wvla -Walloca -Werror
ifeq ($(SANITIZER),)
B := build
else ifeq ($(SANITIZER),address,undefined)
B := build/asan
SANITIZER_FLAGS := -fsanitize=address,undefined -fno-sanitize-recover=all
else ifeq ($(SANITIZER),thread)
B := build/tsan
SANITIZER_FLAGS := -fsanitize=thread
else ifeq ($(SANITIZER),fuzzer)
B := build/fuzz
SANITIZER_FLAGS := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
CC := clang
WARNINGS := -w
else
$(error SANITIZER=$(SANITIZER): it can be 'address,undefined' or 'thread')
endif
ifneq ($(SANITIZER),)
OPTIMIZE := -O1 -g1 -fno-omit-frame-pointer
# gcc warns wrongly where sanitizers hide from it what a value can be.
WARNINGS += -Wno-format-truncation -Wno-maybe-uninitialized
endif

ifeq ($(origin CC),default)
CC := gcc
endif

MACHINE := $(shell uname -m)
ifeq ($(MACHINE),x86_64)
ISAS := v2 v3 v4
ISA_FLAGS_v2 := -march=x86-64-v2
ISA_FLAGS_v3 := -march=x86-64-v3
ISA_FLAGS_v4 := -march=x86-64-v4
ISA_FLAGS := $(ISA_FLAGS_v2)
else
ISAS := base
endif

# V=1 shows whole commands.
Q := $(if $(V),,@)
# What is made, counted: recipes are expanded one after the other.
say = $(if $(V),,$(eval MADE += .)@echo '  $(1)  $@  ($(words $(MADE)))')

# Against what an overflow could do. Kernels take no sizes from outside, and are left out of the stack's protection.
ifeq ($(SANITIZER),)
HARDENING := -D_FORTIFY_SOURCE=3
STACK_PROTECTION := -fstack-protector-strong -fstack-clash-protection
ifeq ($(MACHINE),x86_64)
HARDENING += -fcf-protection=full
endif
endif

CFLAGS_COMMON := -std=gnu11 $(OPTIMIZE) $(WARNINGS) -I. -Iinclude -fPIC -pthread $(SANITIZER_FLAGS) $(HARDENING) \
  $(if $(filter clang,$(CC)),,-fno-semantic-interposition) $(CFLAGS_EXTRA)
CFLAGS_PLAIN := $(CFLAGS_COMMON) $(ISA_FLAGS) -ffp-contract=off $(STACK_PROTECTION)
CFLAGS_KERNEL := $(CFLAGS_COMMON) -ffp-contract=fast
# clang takes minutes over the unrolled kernels with UBSan; their indices are not the fuzzer's to choose, and gcc's
# sanitized build has both.
ifeq ($(SANITIZER),fuzzer)
CFLAGS_KERNEL += -fno-sanitize=undefined -fno-sanitize=fuzzer-no-link
endif
# gcc's fake frames for use after return are not aligned for vectors of 64 bytes.
ifeq ($(SANITIZER),address,undefined)
CFLAGS_KERNEL += --param asan-use-after-return=0
endif
# Thirty times slower with it; what threads write in them is compared bit by bit for any number of threads.
ifeq ($(SANITIZER),thread)
CFLAGS_KERNEL += -fno-sanitize=thread -O3
endif
LDFLAGS_COMMON := -pthread -Wl,-z,noexecstack,-z,relro,-z,now $(SANITIZER_FLAGS)

# Expanded when a recipe runs: on a fresh machine pkg-config is installed by then.
SERVER_CFLAGS = $(shell pkg-config --cflags libmicrohttpd libcjson libuv gnutls zlib libzstd)
SERVER_LIBS = $(shell pkg-config --libs libmicrohttpd libcjson libuv gnutls zlib libzstd)
# What the core needs: whoever links build/libirrep.a gets it from irrep.pc and irrepConfig.cmake.
CORE_LIBS := -lopenblas -lsymspg -lm
# Debian's OpenBLAS without threads of its own, where several are installed.
BLAS_CFLAGS = $(shell pkg-config --cflags openblas)

KERNEL_SOURCES := $(wildcard core/cpu/kernels/*.c)
CORE_SOURCES := $(wildcard core/*/*.c)
SERVER_SOURCES := $(wildcard server/*.c server/*/*.c)
PAGE_FILES := $(wildcard server/page/*.json server/page/*.html server/page/*.js server/page/*.css server/page/*.svg)
UNIT_SOURCES := $(wildcard tests/unit/test_*.c)
FUZZ_SOURCES := $(wildcard tests/fuzz/fuzz_*.c)

OBJ := $(B)/obj
KERNEL_OBJECTS := $(foreach isa,$(ISAS),$(foreach bits,32 64,\
  $(KERNEL_SOURCES:%.c=$(OBJ)/%.$(isa).$(bits).o)))
CORE_OBJECTS := $(CORE_SOURCES:%.c=$(OBJ)/%.o) $(KERNEL_OBJECTS)
SERVER_OBJECTS := $(SERVER_SOURCES:%.c=$(OBJ)/%.o) $(PAGE_FILES:%=$(OBJ)/%.o)
MAIN_OBJECT := $(OBJ)/server/main.o
UNIT_OBJECTS := $(UNIT_SOURCES:%.c=$(OBJ)/%.o)
FUZZ_OBJECTS := $(FUZZ_SOURCES:%.c=$(OBJ)/%.o) $(OBJ)/tests/fuzz/replay.o

UNIT_TESTS := $(UNIT_SOURCES:tests/unit/%.c=$(B)/tests/%)
FUZZ_BINARIES := $(FUZZ_SOURCES:tests/fuzz/%.c=$(B)/%)
FUZZ_REPLAYS := $(FUZZ_SOURCES:tests/fuzz/fuzz_%.c=$(B)/tests/replay_%)

# Tests of core files, and fuzz targets that include no server header, are linked with the core alone; the others with
# all of the server but main.
CORE_NAMES := $(notdir $(basename $(CORE_SOURCES) $(KERNEL_SOURCES)))
CORE_FUZZ := $(patsubst tests/fuzz/fuzz_%.c,%,$(shell grep -Ls '"server/' $(FUZZ_SOURCES) /dev/null))
CORE_TESTS := $(CORE_NAMES:%=$(B)/tests/test_%) $(CORE_FUZZ:%=$(B)/fuzz_%) $(CORE_FUZZ:%=$(B)/tests/replay_%)
SERVER_TESTS := $(filter-out $(CORE_TESTS),$(UNIT_TESTS) $(FUZZ_BINARIES) $(FUZZ_REPLAYS))

# Installs what is missing, once for each group; see tools/setup.sh.
SETUP := build/.setup
$(SETUP)/%: tools/setup.sh
	@mkdir -p $(@D)
	@tools/setup.sh $*
	@touch $@

# Compiling again when the flags have changed, and only then.
FLAGS_NOW := $(CC) $(CFLAGS_PLAIN) $(CFLAGS_KERNEL) $(LDFLAGS_COMMON)
FLAGS_FILE := $(OBJ)/flags
ifneq ($(file <$(FLAGS_FILE)),$(FLAGS_NOW))
$(shell mkdir -p $(OBJ))
$(file >$(FLAGS_FILE),$(FLAGS_NOW))
endif

$(OBJ)/core/%.o: core/%.c $(FLAGS_FILE) | $(SETUP)/build
	@mkdir -p $(@D)
	$(call say,cc)
	$(Q)$(CC) $(CFLAGS_PLAIN) $(MORE_CFLAGS) -MMD -MP -c -o $@ $<

$(OBJ)/core/base/dense.o: MORE_CFLAGS = $(BLAS_CFLAGS)

$(OBJ)/server/%.o: server/%.c $(FLAGS_FILE) | $(SETUP)/build
	@mkdir -p $(@D)
	$(call say,cc)
	$(Q)$(CC) $(CFLAGS_PLAIN) $(SERVER_CFLAGS) -MMD -MP -c -o $@ $<

$(OBJ)/tests/%.o: tests/%.c $(FLAGS_FILE) | $(SETUP)/build $(SETUP)/test
	@mkdir -p $(@D)
	$(call say,cc)
	$(Q)$(CC) $(CFLAGS_PLAIN) $(SERVER_CFLAGS) -MMD -MP -c -o $@ $<

# A kernel is compiled for each precision and instruction set: core/base/real.h reads the two macros.
define KERNEL_RULE
$(OBJ)/core/cpu/kernels/%.$(1).$(2).o: core/cpu/kernels/%.c $(FLAGS_FILE) | $(SETUP)/build
	@mkdir -p $$(@D)
	$$(call say,cc)
	$(Q)$(CC) $(CFLAGS_KERNEL) $(ISA_FLAGS_$(1)) -DIRREP_ISA=$(1) -DIRREP_REAL_BITS=$(2) -MMD -MP -c -o $$@ $$<
endef
$(foreach isa,$(ISAS),$(foreach bits,32 64,$(eval $(call KERNEL_RULE,$(isa),$(bits)))))

# The symbols are _binary_server_page_FILE_start and _end.
$(OBJ)/server/page/%.o: server/page/% | $(SETUP)/build
	@mkdir -p $(@D)
	$(call say,ld)
	$(Q)ld -r -b binary -z noexecstack -o $@ $<

# The core for the daemon and the tests, which see the inside of it too.
$(B)/libcore.a: $(CORE_OBJECTS)
	@rm -f $@
	$(call say,ar)
	$(Q)ar crs $@ $^

# Both libraries show what the public headers declare, and nothing else.
$(OBJ)/libirrep.symbols: $(wildcard include/irrep/*.h)
	@mkdir -p $(@D)
	@grep -ohE '\birrep_\w+\(' $^ | tr -d '(' | sort -u > $@

$(OBJ)/libirrep.map: $(OBJ)/libirrep.symbols
	@{ echo '{ global:'; sed 's/$$/;/' $<; echo 'local: *; };'; } > $@

# One object, of which the rest has become local.
$(OBJ)/libirrep.o: $(CORE_OBJECTS) $(OBJ)/libirrep.symbols
	$(call say,ld)
	$(Q)ld -r -z noexecstack -o $@ $(CORE_OBJECTS)
	$(Q)objcopy --keep-global-symbols=$(OBJ)/libirrep.symbols $@

$(B)/libirrep.a: $(OBJ)/libirrep.o
	@rm -f $@
	$(call say,ar)
	$(Q)ar crs $@ $^

# For tools/install.sh.
$(B)/libirrep.libs: mk/build.mk
	@mkdir -p $(@D)
	@echo '$(CORE_LIBS)' > $@

# Programs ask for it by its major version: "Versions" in include/irrep/conventions.h.
SONAME := libirrep.so.$(firstword $(subst ., ,$(file <VERSION)))

$(B)/libirrep.so: $(CORE_OBJECTS) $(OBJ)/libirrep.map VERSION
	$(call say,ld)
	$(Q)$(CC) -shared -o $@ $(CORE_OBJECTS) $(LDFLAGS_COMMON) -Wl,-soname,$(SONAME) \
	  -Wl,--version-script=$(OBJ)/libirrep.map $(if $(SANITIZER),,-Wl,-z,defs) $(CORE_LIBS)

$(B)/libserver.a: $(filter-out $(MAIN_OBJECT),$(SERVER_OBJECTS))
	@rm -f $@
	$(call say,ar)
	$(Q)ar crs $@ $^

$(B)/irrepd: $(MAIN_OBJECT) $(B)/libserver.a $(B)/libcore.a
	$(call say,ld)
	$(Q)$(CC) -o $@ $^ $(LDFLAGS_COMMON) $(SERVER_LIBS) $(CORE_LIBS)

# With the flags that the daemon has.
$(B)/man/irrepd.1: docs/man/irrepd.1 tools/man_options.sh $(B)/irrepd
	@mkdir -p $(@D)
	@tools/man_options.sh $(B)/irrepd $< > $@

$(SERVER_TESTS): $(B)/libserver.a
$(SERVER_TESTS): TEST_LIBS = $(B)/libserver.a $(B)/libcore.a $(SERVER_LIBS)
TEST_LIBS = $(B)/libcore.a
# The reader is compared with cJSON.
$(B)/fuzz_json $(B)/tests/replay_json: TEST_LIBS += $(shell pkg-config --libs libcjson)
# The client in C is compiled into its target.
$(B)/fuzz_client $(B)/tests/replay_client: TEST_LIBS += $(shell pkg-config --libs libcurl libcjson 2>/dev/null)

$(UNIT_TESTS): $(B)/tests/%: $(OBJ)/tests/unit/%.o $(B)/libcore.a
	@mkdir -p $(@D)
	$(call say,ld)
	$(Q)$(CC) -o $@ $< $(LDFLAGS_COMMON) $(TEST_LIBS) -lcmocka $(CORE_LIBS)

$(FUZZ_BINARIES): $(B)/%: $(OBJ)/tests/fuzz/%.o $(B)/libcore.a
	@mkdir -p $(@D)
	$(call say,ld)
	$(Q)$(CC) -fsanitize=fuzzer -o $@ $< $(LDFLAGS_COMMON) $(TEST_LIBS) $(CORE_LIBS)

# Without libFuzzer: for the seeds, in `make test`.
REPLAY := $(OBJ)/tests/fuzz/replay.o
$(FUZZ_REPLAYS): $(B)/tests/replay_%: $(OBJ)/tests/fuzz/fuzz_%.o $(REPLAY) $(B)/libcore.a
	@mkdir -p $(@D)
	$(call say,ld)
	$(Q)$(CC) -o $@ $< $(REPLAY) $(LDFLAGS_COMMON) $(TEST_LIBS) $(CORE_LIBS)

# For tests/bench/, which measures with helping threads.
$(B)/bench/libteam.so: tests/bench/team.c server/compute/team.c server/compute/team.h $(FLAGS_FILE) | $(SETUP)/build
	@mkdir -p $(@D)
	$(call say,ld)
	$(Q)$(CC) $(CFLAGS_PLAIN) -shared -o $@ $(filter %.c,$^) $(LDFLAGS_COMMON)

# The core as it is on a processor without AVX-512, for `make bench ISA=v3`.
BENCH_LIBRARY := $(ISA:%=$(B)/bench/%/libirrep.so)
BENCH_OPERATIONS := $(ISA:%=$(B)/bench/%/operations)
$(OBJ)/bench/dispatch.o: core/cpu/dispatch.c $(FLAGS_FILE) | $(SETUP)/build
	@mkdir -p $(@D)
	$(call say,cc)
	$(Q)$(CC) $(CFLAGS_PLAIN) -DIRREP_WITHOUT_V4 -MMD -MP -c -o $@ $<

$(B)/bench/v3/libirrep.so: $(CORE_OBJECTS) $(OBJ)/bench/dispatch.o $(OBJ)/libirrep.map
	@mkdir -p $(@D)
	$(call say,ld)
	$(Q)$(CC) -shared -o $@ $(filter-out $(OBJ)/core/cpu/dispatch.o,$(CORE_OBJECTS)) $(OBJ)/bench/dispatch.o \
	  $(LDFLAGS_COMMON) -Wl,-soname,$(SONAME) -Wl,--version-script=$(OBJ)/libirrep.map $(CORE_LIBS)

# For tests/faults/, which preloads it into the daemon.
$(B)/faults/failing_malloc.so: tests/faults/failing_malloc.c $(FLAGS_FILE) | $(SETUP)/build
	@mkdir -p $(@D)
	$(call say,ld)
	$(Q)$(CC) $(CFLAGS_PLAIN) -shared -o $@ $< $(LDFLAGS_COMMON)

# Run under callgrind by tests/bench/budget.py.
$(B)/bench/budget: tests/bench/budget.c $(wildcard tests/unit/support_*.h) $(B)/libcore.a | $(SETUP)/test
	@mkdir -p $(@D)
	$(call say,ld)
	$(Q)$(CC) $(CFLAGS_PLAIN) -o $@ $< $(LDFLAGS_COMMON) $(B)/libcore.a -lcmocka $(CORE_LIBS)

# For tests/dynamics/, which looks at what it prints.
$(B)/dynamics/argon: tests/dynamics/argon.c tests/dynamics/argon.h $(B)/libcore.a
	@mkdir -p $(@D)
	$(call say,ld)
	$(Q)$(CC) $(CFLAGS_PLAIN) -o $@ $< $(LDFLAGS_COMMON) $(B)/libcore.a $(CORE_LIBS)

$(B)/bench/v3/operations: tests/bench/operations.c $(OBJ)/bench/dispatch.o $(B)/libcore.a
	@mkdir -p $(@D)
	$(call say,ld)
	$(Q)$(CC) $(CFLAGS_PLAIN) -o $@ $< $(OBJ)/bench/dispatch.o $(LDFLAGS_COMMON) $(B)/libcore.a $(CORE_LIBS)

BENCH_PROGRAMS := $(patsubst %,$(B)/bench/%,bench_gemm bench_neighbours load operations)
$(B)/bench/bench_gemm: MORE_CFLAGS = $(BLAS_CFLAGS)
$(BENCH_PROGRAMS): $(B)/bench/%: tests/bench/%.c $(B)/libcore.a
	@mkdir -p $(@D)
	$(call say,ld)
	$(Q)$(CC) $(CFLAGS_PLAIN) $(MORE_CFLAGS) -o $@ $< $(LDFLAGS_COMMON) $(B)/libcore.a $(CORE_LIBS)

.SECONDARY: $(UNIT_OBJECTS) $(FUZZ_OBJECTS)

-include $(CORE_OBJECTS:.o=.d) $(SERVER_OBJECTS:.o=.d) $(UNIT_OBJECTS:.o=.d) $(FUZZ_OBJECTS:.o=.d)
