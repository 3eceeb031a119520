#pragma once
#include <stddef.h>
#ifdef __cplusplus
extern "C" {
#endif
#define WINAPI __stdcall
#define INVALID_HANDLE_VALUE ((HANDLE)(long long)-1)
#define INVALID_FILE_ATTRIBUTES ((DWORD)-1)
#define INFINITE 0xffffffffu
typedef void *HANDLE, *LPVOID;
typedef const void *LPCVOID;
typedef unsigned long DWORD, *LPDWORD;
typedef int BOOL;
typedef unsigned int UINT;
typedef const wchar_t *LPCWSTR;
typedef union { struct { DWORD LowPart; long HighPart; } u; long long QuadPart; } LARGE_INTEGER;
typedef struct { size_t Internal, InternalHigh; DWORD Offset, OffsetHigh; HANDLE hEvent; } OVERLAPPED;
typedef struct { DWORD dwPageSize, dwNumberOfProcessors; } SYSTEM_INFO;
typedef struct { void *Ptr; } SRWLOCK, CONDITION_VARIABLE;
enum { CP_UTF8 = 65001, MB_ERR_INVALID_CHARS = 8, FILE_SHARE_READ = 1, FILE_SHARE_DELETE = 4, OPEN_EXISTING = 3 };
enum { FILE_ATTRIBUTE_DIRECTORY = 16, FILE_ATTRIBUTE_NORMAL = 128, FILE_TYPE_DISK = 1, PAGE_READONLY = 2 };
enum { FILE_MAP_READ = 4, ERROR_FILE_NOT_FOUND = 2, ERROR_PATH_NOT_FOUND = 3, ERROR_HANDLE_EOF = 38 };
enum { ERROR_INVALID_NAME = 123, ERROR_FILENAME_EXCED_RANGE = 206 };
#define GENERIC_READ 0x80000000u
BOOL QueryPerformanceCounter(LARGE_INTEGER *);
BOOL QueryPerformanceFrequency(LARGE_INTEGER *);
void GetSystemInfo(SYSTEM_INFO *);
void InitializeSRWLock(SRWLOCK *);
void AcquireSRWLockExclusive(SRWLOCK *);
void ReleaseSRWLockExclusive(SRWLOCK *);
void InitializeConditionVariable(CONDITION_VARIABLE *);
BOOL SleepConditionVariableSRW(CONDITION_VARIABLE *, SRWLOCK *, DWORD, unsigned long);
void WakeAllConditionVariable(CONDITION_VARIABLE *);
void WakeConditionVariable(CONDITION_VARIABLE *);
BOOL SwitchToThread(void);
void YieldProcessor(void);
HANDLE CreateThread(void *, size_t, DWORD (WINAPI *)(LPVOID), LPVOID, DWORD, LPDWORD);
DWORD WaitForSingleObject(HANDLE, DWORD);
BOOL CloseHandle(HANDLE);
DWORD GetLastError(void);
int MultiByteToWideChar(UINT, DWORD, const char *, int, wchar_t *, int);
HANDLE CreateFileW(LPCWSTR, DWORD, DWORD, void *, DWORD, DWORD, HANDLE);
DWORD GetFileAttributesW(LPCWSTR);
DWORD GetFileType(HANDLE);
BOOL GetFileSizeEx(HANDLE, LARGE_INTEGER *);
BOOL ReadFile(HANDLE, LPVOID, DWORD, LPDWORD, OVERLAPPED *);
HANDLE CreateFileMappingW(HANDLE, void *, DWORD, DWORD, DWORD, LPCWSTR);
LPVOID MapViewOfFile(HANDLE, DWORD, DWORD, DWORD, size_t);
BOOL UnmapViewOfFile(LPCVOID);
#ifdef __cplusplus
}
#endif
